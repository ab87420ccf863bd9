#include "task/task.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "check/check.h"
#include "data/yaml.h"

namespace sdft {
namespace fs = std::filesystem;

const char* name_of(OutputType type) {
  switch (type) {
    case OutputType::kGenerateUntil:
      return "generate_until";
    case OutputType::kMultipleChoice:
      return "multiple_choice";
    case OutputType::kLogLikelihood:
      return "loglikelihood";
    case OutputType::kLogLikelihoodRolling:
      return "loglikelihood_rolling";
    case OutputType::kDivergence:
      return "divergence";
  }
  return "";
}

std::string fault_of_task_name(const std::string& name) {
  constexpr size_t kLongest = 200;
  if (name.empty()) return "is missing";
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= ' ' && c != 127 && c != '/'; });
  if (!plain || name[0] == '.')
    return "must not begin with '.' nor contain '/' or control characters, it names a folder";
  return name.size() > kLongest ? "is longer than 200 bytes, it names a folder" : "";
}

namespace {
constexpr int kMostIncludes = 20;

// The keys of a file, and of those that it includes where it lacks them.
Json read_with_includes(const fs::path& file, int depth = 0) {
  Json keys = parse_yaml_as_json(read_text(file), file.string());
  if (!keys.is_object()) fail_input(file.string(), "expected a map of keys, found " + describe(keys));
  for (auto& [key, value] : keys.items())  // functions stand beside the file that names them
    if (value.is_object() && value.contains(kFunctionTag)) value["file"] = file.string();
  if (!keys.contains("include")) return keys;
  if (depth == kMostIncludes)
    fail_input(file.string(), "includes more than " + std::to_string(kMostIncludes) + " files");
  const Json list = keys["include"].is_array() ? keys["include"] : Json::array({keys["include"]});
  keys.erase("include");
  for (size_t i = list.size(); i-- > 0;) {  // of several the last wins
    if (!list[i].is_string())
      fail_input(file.string() + ": include", "expected a file, found " + describe(list[i]));
    const fs::path other = file.parent_path() / list[i].get<std::string>();
    const Json more = read_with_includes(other, depth + 1);
    for (const auto& [key, value] : more.items())
      if (!keys.contains(key)) keys[key] = value;
  }
  return keys;
}

// Reads the keys of one file into a task, and refuses what is left.
class TaskReader {
 public:
  TaskReader(const fs::path& file, Json keys) : file_(file), keys_(std::move(keys)) {
    task_.file = file;
    task_.sha256 = sha256(to_line(keys_));
  }

  Task read() {
    task_.name = text("task");
    if (const std::string fault = fault_of_task_name(task_.name); !fault.empty())
      fail_input(where("task"), fault);
    task_.alias = text("task_alias", task_.name);
    const Json metadata = object("metadata");
    task_.version = metadata.contains("version") ? metadata["version"] : Json();
    task_.kind = text("kind", "retained");
    const std::vector<std::string> kinds = {"target", "retained", "safety"};
    if (std::find(kinds.begin(), kinds.end(), task_.kind) == kinds.end())
      fail_input(where("kind"), "'" + task_.kind + "' is not known", "known are " + joined(kinds));
    read_output();
    read_data();
    read_prompt();
    read_fewshot();
    read_generation();
    read_scoring();
    // Of the harness, without meaning here: names of groups, and what is asked of other programs.
    for (const char* key :
         {"tag", "group", "group_alias", "should_decontaminate", "doc_to_decontamination_query", "recipe"})
      take(key);
    std::vector<std::string> left;
    for (const auto& [key, value] : keys_.items()) left.push_back(key);
    if (!left.empty())
      fail_input(file_.string(), "has keys that are not known here: " + joined(left),
                 "remove them, or write the task without them");
    return std::move(task_);
  }

 private:
  std::string where(const std::string& key) const { return file_.string() + ": " + key; }

  // An empty object where the key is not there.
  Json take(const std::string& key) {
    if (!keys_.contains(key)) return Json::object();
    Json value = keys_[key];
    keys_.erase(key);
    return value.is_null() ? Json::object() : value;
  }
  Json object(const std::string& key) {
    Json value = take(key);
    if (!value.is_object()) fail_input(where(key), "expected a map, found " + describe(value));
    return value;
  }
  // Empty where the key is not there.
  Json list(const std::string& key) {
    if (!has(key)) return take(key), Json::array();
    Json value = take(key);
    if (!value.is_array() || value.empty())
      fail_input(where(key), "expected a list with entries, found " + describe(value));
    return value;
  }
  bool has(const std::string& key) const { return keys_.contains(key) && !keys_[key].is_null(); }

  std::string text(const std::string& key, const std::string& otherwise = "") {
    if (!has(key)) return take(key), otherwise;
    const Json value = take(key);
    if (!value.is_string()) fail_input(where(key), "expected a text, found " + describe(value));
    return value.get<std::string>();
  }
  int64_t number(const std::string& key, int64_t otherwise, int64_t low) {
    if (!has(key)) return take(key), otherwise;
    const Json value = take(key);
    if (!fits<int64_t>(value) || value.get<int64_t>() < low)
      fail_input(where(key),
                 "expected a whole number from " + std::to_string(low) + " on, found " + describe(value));
    return value.get<int64_t>();
  }
  Expression expression(const std::string& key) {
    if (!has(key)) return take(key), Expression();
    return expression_of(key, take(key));
  }
  Expression expression_of(const std::string& key, Json value) {
    if (value.is_object() && value.contains(kFunctionTag))
      return {value, where(key), find_document_field(value[kFunctionTag], file_of(value), key)};
    if (value.is_object()) {  // choices by name
      Json list = Json::array();
      for (auto& [name, choice] : value.items()) list.push_back(choice);
      value = list;
    }
    return {value, where(key)};
  }

  void read_output() {
    const std::string name = text("output_type", "generate_until");
    std::vector<std::string> names;
    for (OutputType type :
         {OutputType::kGenerateUntil, OutputType::kMultipleChoice, OutputType::kLogLikelihood,
          OutputType::kLogLikelihoodRolling, OutputType::kDivergence}) {
      names.push_back(name_of(type));
      if (name == names.back()) return void(task_.output = type);
    }
    fail_input(where("output_type"), "'" + name + "' is not known", "known are " + joined(names));
  }

  void read_data() {
    task_.data.path = text("dataset_path");
    task_.data.name = text("dataset_name");
    Json more = object("dataset_kwargs");
    more.erase("trust_remote_code");
    if (more.contains("data_files")) {
      const Json files = more["data_files"];
      for (const auto& [split, name] : files.items())
        if (name.is_string()) task_.data.files[split] = name;
      if (task_.data.files.size() != files.size() || !files.is_object())
        fail_input(where("dataset_kwargs"), "data_files: expected {SPLIT: FILE}, found " + describe(files));
      more.erase("data_files");
    }
    if (!more.empty())
      fail_input(where("dataset_kwargs"), "has '" + more.begin().key() + "', which is not known here",
                 "known is data_files");
    if (task_.data.path.empty()) fail_input(file_.string(), "has no dataset_path");
    task_.training_split = text("training_split");
    task_.validation_split = text("validation_split");
    test_split_ = text("test_split");
    task_.split = test_split_.empty() ? task_.validation_split : test_split_;
    if (task_.split.empty()) fail_input(file_.string(), "has neither test_split nor validation_split");
    if (has("process_docs")) task_.process_docs = function("process_docs", find_document_function);
  }

  // The function that a key names, found beside the file that names it.
  template <typename Function>
  const Function* function(const std::string& key,
                           const Function* (*find)(const std::string&, const fs::path&, const std::string&)) {
    const Json value = take(key);
    if (!value.is_object() || !value.contains(kFunctionTag))
      fail_input(where(key), "expected !function NAME, found " + describe(value));
    return find(value[kFunctionTag], file_of(value), key);
  }
  fs::path file_of(const Json& function) const { return function.value("file", file_.string()); }

  void read_prompt() {
    task_.text = expression("doc_to_text");
    task_.target = expression("doc_to_target");
    task_.choices = expression("doc_to_choice");
    task_.description = expression("description");
    task_.gen_prefix = expression("gen_prefix");
    task_.target_delimiter = text("target_delimiter", " ");
    task_.prompt_template = text("prompt_template");
    if (task_.text.empty() && task_.output != OutputType::kLogLikelihoodRolling)
      fail_input(file_.string(), "has no doc_to_text");
    if (task_.choices.empty() && task_.output == OutputType::kMultipleChoice)
      fail_input(file_.string(), "has no doc_to_choice");
    if (task_.target.empty() && !has("check") && task_.output != OutputType::kDivergence)
      fail_input(file_.string(), "has no doc_to_target");
  }

  void read_fewshot() {
    task_.num_fewshot = number("num_fewshot", 0, 0);
    FewshotConfig& few = task_.fewshot;
    few.delimiter = text("fewshot_delimiter", "\n\n");
    few.target_delimiter = task_.target_delimiter;
    few.split = text("fewshot_split");
    few.text = task_.text, few.target = task_.target, few.choices = task_.choices;
    const Json config = object("fewshot_config");
    for (const auto& [key, value] : config.items()) {
      const std::string place = "fewshot_config: " + key;
      if (key == "sampler" && (value == "first_n" || value == "default")) {
        few.sampler = value == "first_n" ? FewshotSampler::kFirstN : FewshotSampler::kDefault;
      } else if (key == "split" && value.is_string()) {
        few.split = value;
      } else if (key == "samples" && value.is_array()) {
        few.samples = value.get<std::vector<Json>>();
      } else if (key == "doc_to_text") {
        few.text = expression_of(place, value);
      } else if (key == "doc_to_target") {
        few.target = expression_of(place, value);
      } else if (key == "doc_to_choice") {
        few.choices = expression_of(place, value);
      } else if (key == "fewshot_delimiter" && value.is_string()) {
        few.delimiter = value;
      } else if (key == "target_delimiter" && value.is_string()) {
        few.target_delimiter = value;
      } else {
        fail_input(where(place), describe(value) + " is not known here");
      }
    }
    few.excludes_question = few.split == test_split_;
  }

  void read_generation() {
    const bool generates = is_written(task_.output);
    const Json options = object("generation_kwargs");
    if (!generates && !options.empty())
      fail_input(where("generation_kwargs"),
                 std::string("has no meaning for output_type ") + name_of(task_.output));
    Generation& generation = task_.generation;
    if (generates) generation.until = {task_.fewshot.delimiter};
    const std::string place = where("generation_kwargs");
    bool sample = false;
    for (const auto& [key, value] : options.items()) {
      if (key == "until") {
        generation.until = value.is_string() ? std::vector<std::string>{value}
                                             : require<std::vector<std::string>>(options, key, place);
      } else if (key == "max_gen_toks" || key == "max_new_tokens" || key == "max_tokens") {
        generation.max_new_tokens = require<int64_t>(options, key, place);
      } else if (key == "do_sample") {
        sample = require<bool>(options, key, place);
      } else if (key == "temperature") {
        generation.temperature = require<double>(options, key, place);
      } else if (key == "top_p") {
        generation.top_p = require<double>(options, key, place);
      } else {
        fail_input(place, "'" + key + "' is not known here",
                   "known are until, max_gen_toks, do_sample, temperature, top_p");
      }
    }
    if (!sample) generation.temperature = 0;
    if (generation.max_new_tokens < 1) fail_input(place, "max_gen_toks must be 1 or more");
    task_.repeats = number("repeats", 1, 1);
  }

  void read_scoring() {
    task_.check = text("check");
    if (has("chance")) {
      const Json value = take("chance");
      if (!value.is_number() || value.get<double>() < 0 || value.get<double>() >= 1)
        fail_input(where("chance"), "expected a number from 0 to below 1, found " + describe(value));
      task_.chance = value.get<double>();
    }
    if (has("process_results")) task_.process_results = function("process_results", find_result_function);
    for (const char* key : {"process_results", "process_docs", "chance"}) take(key);  // null ones
    const Json metrics = list("metric_list"), filters = list("filter_list");
    if (!task_.check.empty()) {
      if (task_.output != OutputType::kGenerateUntil || !metrics.empty())
        fail_input(where("check"), "judges answers of output_type generate_until, in place of metric_list");
      if (const std::string fault = fault_of_check(task_.check, kTaskCheck); !fault.empty())
        fail_input(where("check"), fault);
    } else if (!metrics.empty()) {
      for (const Json& metric : metrics)
        task_.metrics.push_back(
            read_metric(metric, task_.output, task_.process_results != nullptr, where("metric_list")));
    } else {
      task_.metrics = default_metrics(task_.output);
    }
    for (const Json& entry : filters) task_.filters.push_back(read_filters(entry, file_.string()));
    if (task_.output == OutputType::kDivergence && (!task_.filters.empty() || task_.repeats > 1))
      fail_input(file_.string(), "output_type divergence compares one answer as it is",
                 "leave out filter_list and repeats");
    if (task_.filters.empty()) task_.filters.emplace_back();
  }

  fs::path file_;
  std::string test_split_;
  Json keys_;
  Task task_;
};

// All task files of some folders, so that groups of many tasks are found by one walk.
class Library {
 public:
  explicit Library(const TaskPlaces& places) {
    for (const fs::path& folder : places.folders) {
      if (!fs::is_directory(folder))
        fail_input(folder.string(), "is no folder", "it should hold task files, *.yaml");
      std::vector<fs::path> files;
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && is_yaml(entry.path())) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (const fs::path& file : files) files_.emplace_back(file, read_text(file));
    }
  }
  static bool is_yaml(const fs::path& path) {
    return path.extension() == ".yaml" || path.extension() == ".yml";
  }

  // The tasks called `name`, or of the group or tag of that name; none where nothing is.
  std::vector<Task> find(const std::string& name, int depth = 0) const {
    if (depth > kMostIncludes) fail_input("group '" + name + "'", "is nested too deep, or in itself");
    std::vector<Task> tagged;
    for (const auto& [file, text] : files_) {
      if (text.find(name) == std::string::npos) continue;
      const Json keys = read_or_skip(file, text);
      if (!keys.is_object()) continue;
      if (is_group(keys)) {
        if (keys["group"] == name) return members(file, keys, depth);
      } else if (keys.contains("task") && keys["task"] == name) {
        return {TaskReader(file, read_with_includes(file)).read()};
      } else if (const auto tags = tags_of(keys); std::find(tags.begin(), tags.end(), name) != tags.end()) {
        tagged.push_back(TaskReader(file, read_with_includes(file)).read());
      }
    }
    return tagged;
  }

  std::vector<Task> members(const fs::path& file, const Json& keys, int depth) const {
    std::vector<Task> tasks;
    for (const Json& member : keys["task"]) {
      if (!member.is_string())
        fail_input(file.string() + ": task", "expected names of tasks, found " + describe(member));
      std::vector<Task> found = find(member, depth + 1);
      if (found.empty())
        fail_input(file.string() + ": task", "there is no task '" + member.get<std::string>() + "'");
      std::move(found.begin(), found.end(), std::back_inserter(tasks));
    }
    return tasks;
  }

  static bool is_group(const Json& keys) {
    return keys.contains("group") && keys.contains("task") && keys["task"].is_array();
  }

  std::vector<TaskEntry> entries() const {
    std::vector<TaskEntry> list;
    std::set<std::string> seen;
    auto add = [&](const std::string& name, const fs::path& file, bool group) {
      if (seen.insert(name).second) list.push_back({name, file, group});
    };
    for (const auto& [file, text] : files_) {
      const Json keys = read_or_skip(file, text);
      if (!keys.is_object()) continue;
      if (is_group(keys) && keys["group"].is_string()) add(keys["group"], file, true);
      if (keys.contains("task") && keys["task"].is_string()) add(keys["task"], file, false);
      for (const std::string& tag : tags_of(keys)) add(tag, file, true);
    }
    return list;
  }

 private:
  // One damaged file among many does not keep the others from being found.
  static Json read_or_skip(const fs::path& file, const std::string& text) {
    try {
      return parse_yaml_as_json(text, file.string());
    } catch (const Error& error) {
      spdlog::warn("skipped: {}", error.what());
      return nullptr;
    }
  }
  static std::vector<std::string> tags_of(const Json& keys) {
    std::vector<std::string> tags;
    for (const char* key : {"tag", "group"}) {  // of a task file, what older ones call a group is a tag
      if (!keys.contains(key)) continue;
      for (const Json& value : keys[key].is_array() ? keys[key] : Json::array({keys[key]}))
        if (value.is_string()) tags.push_back(value);
    }
    return tags;
  }

  std::vector<std::pair<fs::path, std::string>> files_;
};
}  // namespace

namespace {
// A task that a group reaches in several ways counts once.
std::vector<Task> without_repeats(std::vector<Task> tasks) {
  std::set<std::string> seen;
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(),
                             [&](const Task& task) { return !seen.insert(task.name).second; }),
              tasks.end());
  return tasks;
}
}  // namespace

namespace {
// Folders are walked once a program: the harness's has fifteen thousand files.
const Library& library_of(const TaskPlaces& places) {
  static std::mutex mutex;
  static std::map<std::vector<fs::path>, std::unique_ptr<Library>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Library>& library = known[places.folders];
  if (!library) library = std::make_unique<Library>(places);
  return *library;
}
}  // namespace

std::vector<Task> find_tasks(const std::string& name, const TaskPlaces& places) {
  if (name.find('/') != std::string::npos || Library::is_yaml(name)) {
    const Json keys = read_with_includes(name);
    if (Library::is_group(keys)) return without_repeats(library_of(places).members(name, keys, 0));
    return {TaskReader(name, keys).read()};
  }
  const Library& library = library_of(places);
  std::vector<Task> tasks = without_repeats(library.find(name));
  if (!tasks.empty()) return tasks;
  std::vector<std::string> names;
  for (const TaskEntry& entry : library.entries()) names.push_back(entry.name);
  const std::string near = nearest(name, names);
  fail_usage("there is no task '" + name + "'",
             (near.empty() ? "" : "did you mean '" + near + "'? ") +
                 "sdft eval --list shows all; more are found in folders given with --include_path");
}

std::vector<TaskEntry> list_tasks(const TaskPlaces& places) { return library_of(places).entries(); }

}  // namespace sdft
