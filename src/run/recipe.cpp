#include "run/recipe.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "base/problems.h"
#include "data/prompt.h"
#include "run/foreign_keys.h"
#include "run/presets.h"
#include "run/settings_together.h"
#include "run/variants.h"
#include "task/task.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What reading a recipe shares: where the text stands, and what is wrong so far.
struct Reading {
  std::string where;
  Problems* problems;

  void add(const std::string& what) const { problems->add(where + ": " + what); }
  Reading inside(const std::string& part) const { return {where + ": " + part, problems}; }
  void unknown(const std::string& key, const std::vector<std::string>& names) const {
    const std::string near = nearest(key, names);
    add("unknown key '" + key + "'" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  // The keys and values of a map; keys that are lists or maps, or stand there twice, are problems.
  template <typename Use>
  void each(const YAML::Node& map, Use use) const {
    std::set<std::string> seen;
    for (const auto& item : map) {
      if (item.first.IsScalar()) {
        if (!seen.insert(item.first.Scalar()).second) add("'" + item.first.Scalar() + "' stands there twice");
        use(item.first.Scalar(), item.second);
      } else {
        add("line " + std::to_string(item.first.Mark().line + 1) +
            ": a key must be a name, found a list or map");
      }
    }
  }
};

std::vector<std::string> names_of(const std::vector<Setting>& table, std::vector<std::string> more) {
  for (const Setting& setting : table) more.emplace_back(setting.name);
  return more;
}

template <typename T>
bool convert(const YAML::Node& node, T* to) {
  try {
    *to = node.as<T>();
    return true;
  } catch (const YAML::Exception&) {
    return false;
  }
}

// Of a flag: "q_proj, v_proj".
std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names = comma_separated(text);
  names.erase(std::remove(names.begin(), names.end(), ""), names.end());
  return names;
}

std::string found(const YAML::Node& node) {
  if (node.IsScalar()) return "'" + node.Scalar() + "'";
  return node.IsNull() ? "nothing" : node.size() == 0 ? "an empty list or map" : "a list or map";
}

bool put(const YAML::Node& node, LayerPatterns* patterns) {
  patterns->clear();
  std::set<std::string> seen;
  for (const auto& item : node) {
    double number;
    if (!node.IsMap() || !item.first.IsScalar() || !seen.insert(item.first.Scalar()).second ||
        !convert(item.second, &number))
      return false;
    patterns->emplace_back(item.first.Scalar(), number);
  }
  return node.IsMap() || node.IsNull();
}

// [a.jsonl, b.jsonl] as "a.jsonl, b.jsonl", which no path in it may be read as.
const char* put_paths(const YAML::Node& list, std::string* text) {
  text->clear();
  for (const YAML::Node& path : list) {
    if (!path.IsScalar() || path.Scalar().empty() || path.Scalar().find(',') != std::string::npos)
      return "a text, or a list of texts without commas";
    *text += (text->empty() ? "" : ", ") + path.Scalar();
  }
  return text->empty() ? "a text, or a list of texts" : nullptr;
}

// Puts the value in its place; what it should have been, where it is of another type.
const char* put(const Setting& setting, const YAML::Node& node) {
  if (auto* text = std::get_if<std::string*>(&setting.target)) {
    if (node.IsNull()) return (*text)->clear(), nullptr;
    if (setting.paths && node.IsSequence()) return put_paths(node, *text);
    return node.IsScalar() && convert(node, *text) ? nullptr : "a text";
  }
  if (auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    if (node.IsScalar()) **list = names_in(node.Scalar());
    return (node.IsScalar() || (node.IsSequence() && convert(node, *list))) &&
                   (setting.optional || !(*list)->empty())
               ? nullptr
               : "a list of names";
  }
  if (auto* numbers = std::get_if<std::vector<double>*>(&setting.target)) {
    const YAML::Node list = node.IsScalar() ? YAML::Node(names_in(node.Scalar())) : node;
    return list.IsSequence() && convert(list, *numbers) ? nullptr : "a list of numbers";
  }
  if (auto* patterns = std::get_if<LayerPatterns*>(&setting.target))
    return put(node, *patterns) ? nullptr : "a map of patterns to numbers, as {q_proj: 16}";
  if (auto* flag = std::get_if<bool*>(&setting.target))
    return convert(node, *flag) ? nullptr : "true or false";
  if (auto* real = std::get_if<double*>(&setting.target)) return convert(node, *real) ? nullptr : "a number";
  if (auto* whole = std::get_if<int64_t*>(&setting.target))
    return convert(node, *whole) ? nullptr : "a whole number";
  auto* seed = std::get_if<uint64_t*>(&setting.target);
  const bool negative = node.IsScalar() && node.Scalar().find('-') != std::string::npos;
  return !negative && convert(node, *seed) ? nullptr : "a whole number, 0 or more";
}

// Range and choice of a value that has the right type.
void check_value(const Setting& setting, const Reading& reading) {
  const std::string name = "'" + std::string(setting.name) + "': ";
  std::vector<double> numbers;
  if (auto* real = std::get_if<double*>(&setting.target)) numbers = {**real};
  if (auto* whole = std::get_if<int64_t*>(&setting.target)) numbers = {static_cast<double>(**whole)};
  if (auto* list = std::get_if<std::vector<double>*>(&setting.target)) numbers = **list;
  const bool in_range = std::all_of(numbers.begin(), numbers.end(), [&](double number) {
    return number <= setting.high && (setting.above_low ? number > setting.low : number >= setting.low);
  });
  if (!in_range) reading.add(name + "expected " + allowed_text(setting) + ", found " + value_text(setting));
  auto* text = std::get_if<std::string*>(&setting.target);
  if (setting.fault) {
    auto* list = std::get_if<std::vector<std::string>*>(&setting.target);
    for (const std::string& one : list ? **list : std::vector<std::string>{**text})
      if (const std::string fault = setting.fault(one); !fault.empty()) reading.add(name + fault);
  }
  if (!text || setting.choices.empty() || (setting.prompt && names_prompt_file(**text))) return;
  if (std::find(setting.choices.begin(), setting.choices.end(), **text) != setting.choices.end()) return;
  const std::string near = nearest(**text, setting.choices);
  std::string all;
  for (const std::string& choice : setting.choices) all += (all.empty() ? "" : ", ") + choice;
  reading.add(name + "'" + **text + "' is not known" +
              (near.empty() ? "; known are " + all : "; did you mean '" + near + "'?"));
}

// "~/x" as a shell has it, which does not look inside output_dir=~/x.
void expand_home(std::string* path, const Reading& reading) {
  if (path->empty() || (*path)[0] != '~') return;
  const char* home = std::getenv("HOME");
  if (path->size() > 1 && (*path)[1] != '/') return reading.add("'" + *path + "': write the whole path");
  if (!home || !*home) return reading.add("'" + *path + "': HOME is not set; write the whole path");
  *path = home + path->substr(1);
}

// "~/a.jsonl, ~/b.jsonl"
void expand_homes(std::string* paths, const Reading& reading) {
  if (paths->find('~') == std::string::npos) return;
  std::string expanded;
  for (std::string path : comma_separated(*paths)) {
    expand_home(&path, reading);
    expanded += (expanded.empty() ? "" : ", ") + path;
  }
  *paths = expanded;
}

// Of a scalar; null as it is written.
std::string plain_text(const YAML::Node& node) {
  return node.IsScalar() ? node.Scalar() : node.IsNull() ? "null" : found(node);
}

// A key that is no setting: of another tool, or one that `names` may suggest.
void read_unknown(const std::string& key, const YAML::Node& node, const Reading& reading,
                  const std::vector<std::string>& names) {
  const ForeignKey* foreign = find_foreign_key(key, plain_text(node));
  if (!foreign) return reading.unknown(key, names);
  if (foreign->kind == ForeignKey::kError) return reading.add("'" + key + "': " + foreign->answer);
  spdlog::info("{}: '{}' changes nothing here: {}", reading.where, key, foreign->answer);
}

void assign(const Setting& setting, const YAML::Node& written, const Reading& reading) {
  const ForeignKey* foreign = find_foreign_key(setting.name, plain_text(written));
  const YAML::Node node = foreign ? YAML::Node(std::string(foreign->answer)) : written;
  if (foreign)
    spdlog::info("{}: '{}': {} is '{}' here", reading.where, setting.name, found(written), foreign->answer);
  if (const char* expected = put(setting, node))
    return reading.add(std::string("'") + setting.name + "': expected " + expected + ", found " +
                       found(node));
  check_value(setting, reading);
  if (setting.path) expand_home(*std::get_if<std::string*>(&setting.target), reading);
  if (setting.paths) expand_homes(*std::get_if<std::string*>(&setting.target), reading);
}

void read_columns(const YAML::Node& node, const Reading& reading, Columns* columns) {
  if (!node.IsMap()) return reading.add("'columns': expected a map of column names");
  const auto fields = column_fields(*columns);
  reading.each(node, [&](const std::string& key, const YAML::Node& value) {
    std::vector<std::string> names;
    for (const auto& [name, target] : fields) {
      names.emplace_back(name);
      if (key != name) continue;
      if (!value.IsScalar() || !convert(value, target))
        reading.add("columns: '" + key + "': expected a column's name, found " + found(value));
      return;
    }
    reading.inside("columns").unknown(key, names);
  });
}

// As YAML means a plain scalar: true, 3, 0.5; quoted ones stay texts.
Json scalar_json(const YAML::Node& node) {
  if (node.Tag() == "!") return node.Scalar();
  bool flag;
  int64_t whole;
  double real;
  if (convert(node, &flag)) return flag;
  if (convert(node, &whole)) return whole;
  if (convert(node, &real) && std::isfinite(real)) return real;
  return node.Scalar();
}

// `left`: how many values there may still be; aliases of aliases make many of a few lines.
Json json_of(const YAML::Node& node, const Reading& reading, size_t* left) {
  if (*left == 0) return nullptr;
  if (--*left == 0) reading.add("'chat_template_kwargs': has too many values");
  if (node.IsNull()) return nullptr;
  if (node.IsScalar()) return scalar_json(node);
  Json json = node.IsMap() ? Json::object() : Json::array();
  if (node.IsMap())
    reading.each(node, [&](const std::string& key, const YAML::Node& value) {
      if (*left > 0) json[key] = json_of(value, reading, left);
    });
  else
    for (auto item = node.begin(); item != node.end() && *left > 0; ++item)
      json.push_back(json_of(*item, reading, left));
  return json;
}

void read_task(const YAML::Node& node, const Reading& reading, std::vector<TaskSettings>* tasks) {
  if (!node.IsMap()) return reading.add("expected a map with name, dataset, check");
  TaskSettings task;
  const std::vector<Setting> fields = task_settings(task);
  reading.each(node, [&](const std::string& key, const YAML::Node& value) {
    if (key == "columns") return read_columns(value, reading, &task.columns);
    for (const Setting& field : fields)
      if (key == field.name) return assign(field, value, reading);
    reading.unknown(key, names_of(fields, {"columns"}));
  });
  if (task.kind.empty() && task.task.empty()) task.kind = "retained";
  if (task.name.empty()) task.name = std::filesystem::path(task.task).stem().string();
  if (const std::string fault = fault_of_task_name(task.name); !fault.empty())
    reading.add("'name'" + std::string(task.name.empty() ? " " : ": ") + fault);
  if (task.dataset.empty() && task.task.empty()) reading.add("'dataset' is missing");
  if (!task.dataset.empty() && !task.task.empty())
    reading.add("'task' and 'dataset': one of them says what is asked");
  if (task.num_samples > 1 && task.temperature == 0)
    reading.add("'num_samples': several answers of temperature 0 are all the same; set temperature");
  for (const TaskSettings& other : *tasks)
    if (other.name == task.name) reading.add("a second task is named '" + task.name + "'");
  tasks->push_back(task);
}

void read_setting(const std::string& key, const YAML::Node& node, const Reading& reading, Recipe* recipe);

// A setting's value so that read_override() takes it back.
std::string override_text(const Setting& setting) {
  auto* list = std::get_if<std::vector<std::string>*>(&setting.target);
  return list ? Json(**list).dump() : value_text(setting);
}

// A value that a variant, a sweep or a task of a continual run gives to a setting of the recipe; none where
// it is a problem.
std::optional<std::string> read_own_value(const std::string& key, const YAML::Node& node,
                                          const Reading& reading, std::vector<std::string> names = {}) {
  Recipe trial;
  const auto table = settings(trial);
  names.emplace_back("columns");
  for (const Setting& setting : table) {
    if (!setting.varies()) continue;
    names.emplace_back(setting.name);
    if (key != setting.name) continue;
    assign(setting, node, reading);
    return override_text(setting);
  }
  if (key == "columns") {
    read_columns(node, reading, &trial.columns);
    YAML::Emitter out;
    out << YAML::Flow << node;
    return std::string(out.c_str());
  }
  const std::vector<std::string> all = names_of(table, {});
  if (key == "preset")
    reading.add("'preset' stands for several settings; give each a variant of its own");
  else if (std::find(all.begin(), all.end(), key) != all.end())
    reading.add("'" + key + "' is the same for the whole run");
  else
    read_unknown(key, node, reading, names);
  return std::nullopt;
}

// The settings that a preset stands for; none where it is a problem.
Overrides preset_of(const YAML::Node& node, const Reading& reading) {
  const Preset* preset = node.IsScalar() ? find_preset(node.Scalar()) : nullptr;
  if (preset) return preset->settings;
  std::vector<std::string> names;
  std::string all;
  for (const Preset& one : presets()) {
    names.emplace_back(one.name);
    all += (all.empty() ? "" : ", ") + names.back();
  }
  const std::string near = node.IsScalar() ? nearest(node.Scalar(), names) : "";
  reading.add("'preset': " + found(node) + " is not known" +
              (near.empty() ? "; known are " + all : "; did you mean '" + near + "'?"));
  return {};
}

// Each setting once: a later value takes an earlier one's place.
void put_override(Overrides* overrides, const Overrides::value_type& own) {
  for (auto& [key, value] : *overrides)
    if (key == own.first) return void(value = own.second);
  overrides->push_back(own);
}

// A map of `fields`, and settings of its own.
void read_own(const YAML::Node& node, const Reading& reading, const std::vector<Setting>& fields,
              Overrides* overrides) {
  reading.each(node, [&](const std::string& key, const YAML::Node& value) {
    for (const Setting& field : fields)
      if (key == field.name) return assign(field, value, reading);
    if (key == "preset") {  // in front, so that the others win
      Overrides all = preset_of(value, reading);
      for (const auto& own : *overrides) put_override(&all, own);
      *overrides = std::move(all);
      return;
    }
    if (auto own = read_own_value(key, value, reading, names_of(fields, {})))
      put_override(overrides, {key, *own});
  });
}

void read_variants(const YAML::Node& node, const Reading& reading, std::vector<Variant>* variants) {
  if (!node.IsSequence() || node.size() == 0)
    return reading.add("'variants': expected a list, as [{name: mine, method: sft}], found " + found(node));
  variants->clear();
  for (size_t i = 0; i < node.size(); ++i) {
    const Reading inside = reading.inside("variants[" + std::to_string(i) + "]");
    if (!node[i].IsMap()) {
      inside.add("expected a map with name, method");
      continue;
    }
    Variant variant;
    read_own(node[i], inside,
             {{"", "name", &variant.name, ""},
              {"", "method", &variant.method, ""},
              {"", "after", &variant.after, ""}},
             &variant.overrides);
    if (const std::string fault = fault_of(variant, *variants); !fault.empty()) inside.add(fault);
    variants->push_back(variant);
  }
}

// One setting of a sweep.
void read_swept(const std::string& key, const YAML::Node& node, const Reading& reading, Recipe* recipe) {
  if (!node.IsSequence() || node.size() == 0)
    return reading.add("'" + key + "': expected a list of values, found " + found(node));
  if (node.size() > kMostVariants)
    return reading.add(
        fmt::format("'{}': has {} values, expected {} at most", key, node.size(), kMostVariants));
  std::vector<std::string> values;
  for (size_t i = 0; i < node.size(); ++i) {
    const auto value = read_own_value(key, node[i], reading);
    if (!value) return;  // a problem already
    values.push_back(*value);
    if (std::count(values.begin(), values.end(), values.back()) > 1)
      reading.add("'" + key + "': the value " + values.back() + " stands there twice");
  }
  auto& sweep = recipe->sweep;
  sweep.erase(std::remove_if(sweep.begin(), sweep.end(), [&](const auto& one) { return one.first == key; }),
              sweep.end());
  sweep.emplace_back(key, values);
}

std::vector<std::string> structured_names() {
  std::vector<std::string> names;
  for (const StructuredSetting& setting : structured_settings()) names.emplace_back(setting.name);
  return names;
}

void read_sweep(const YAML::Node& node, const Reading& reading, Recipe* recipe) {
  if (!node.IsMap() || node.size() == 0)
    return reading.add(
        "'sweep': expected a map of settings to lists of values, as {seed: [1, 2, 3]}, found " + found(node));
  recipe->sweep.clear();
  const Reading inside = reading.inside("sweep");
  inside.each(node, [&](const std::string& key, const YAML::Node& values) {
    read_swept(key, values, inside, recipe);
  });
}

void read_continual(const YAML::Node& node, const Reading& reading, Recipe* recipe) {
  if (!node.IsSequence() || node.size() < 2)
    return reading.add(
        "'continual': expected a list of two tasks or more, as [{name: a, dataset: a.jsonl}, "
        "{name: b, dataset: b.jsonl}], found " +
        found(node));
  recipe->continual.clear();
  for (size_t i = 0; i < node.size(); ++i) {
    const Reading inside = reading.inside("continual[" + std::to_string(i) + "]");
    if (!node[i].IsMap()) {
      inside.add("expected a map with name, dataset");
      continue;
    }
    ContinualTask task;
    read_own(node[i], inside, {{"", "name", &task.name, ""}}, &task.overrides);
    if (!names_a_folder(task.name))
      inside.add("'name': expected up to 64 letters, digits, - and _, for it names a folder, found '" +
                 task.name + "'");
    for (const ContinualTask& other : recipe->continual)
      if (other.name == task.name) inside.add("a second task is named '" + task.name + "'");
    recipe->continual.push_back(task);
  }
}

void read_setting(const std::string& key, const YAML::Node& node, const Reading& reading, Recipe* recipe) {
  const auto table = settings(*recipe);
  for (const Setting& setting : table)
    if (key == setting.name) return assign(setting, node, reading);
  if (key == "columns") return read_columns(node, reading, &recipe->columns);
  if (key == "preset") {
    for (const auto& [name, value] : preset_of(node, reading))
      read_setting(name, YAML::Node(value), reading, recipe);
    return;
  }
  if (key == "chat_template_kwargs") {
    if (!node.IsMap())
      return reading.add("'chat_template_kwargs': expected a map, as {enable_thinking: false}");
    size_t left = 10000;
    recipe->chat_template_kwargs = json_of(node, reading, &left);
    return;
  }
  if (key == "variants") return read_variants(node, reading, &recipe->variants);
  if (key == "sweep") return read_sweep(node, reading, recipe);
  if (key == "continual") return read_continual(node, reading, recipe);
  if (key != "eval") return read_unknown(key, node, reading, names_of(table, structured_names()));
  if (!node.IsSequence()) return reading.add("'eval': expected a list of tasks, found " + found(node));
  recipe->eval.clear();
  for (size_t i = 0; i < node.size(); ++i)
    read_task(node[i], reading.inside("eval[" + std::to_string(i) + "]"), &recipe->eval);
}

YAML::Node parse_yaml(const std::string& text, const std::string& where) {
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    fail_usage(where + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
}

void read_override(const std::string& override, Recipe* recipe, Problems& problems) {
  const Reading reading{"'" + override + "'", &problems};
  const size_t equals = override.find('=');
  if (equals == std::string::npos || equals == 0) return reading.add("expected key=value");
  const std::string key = override.substr(0, equals), value = override.substr(equals + 1);
  if (key.rfind("sweep.", 0) == 0)  // one setting of a sweep: sweep.seed=1,2,3
    return read_swept(key.substr(6), parse_yaml(value[0] == '[' ? value : "[" + value + "]", reading.where),
                      reading, recipe);
  const auto names = structured_names();
  const bool structured = std::find(names.begin(), names.end(), key) != names.end() ||
                          (!value.empty() && (value[0] == '[' || value[0] == '{'));
  // Texts are taken as they are, with what YAML would read as a comment or a quote; paths may be a list.
  const bool in_brackets = !value.empty() && value.front() == '[' && value.back() == ']';
  bool text = false;
  for (const Setting& setting : settings(*recipe))
    text |= key == setting.name && std::holds_alternative<std::string*>(setting.target) &&
            !(setting.paths && in_brackets);
  read_setting(key, structured && !text ? parse_yaml(value, reading.where) : YAML::Node(value), reading,
               recipe);
}

}  // namespace

Recipe read_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  Recipe recipe;
  Problems problems;
  reread_prompt_files();
  if (!file.empty()) {
    const YAML::Node root = parse_yaml(read_text(file), file.string());
    if (!root.IsMap() && !root.IsNull()) fail_usage(file.string() + ": expected a map of settings");
    const Reading reading{file.string(), &problems};
    const YAML::Node preset = root.IsMap() ? root["preset"] : YAML::Node();
    if (preset.IsDefined() && !preset.IsNull()) read_setting("preset", preset, reading, &recipe);
    reading.each(root, [&](const std::string& key, const YAML::Node& node) {
      if (key != "preset") read_setting(key, node, reading, &recipe);  // what stands beside it wins
    });
  }
  for (const auto& override : overrides) read_override(override, &recipe, problems);
  problems.raise();  // single values have to be right first
  check_together(recipe, problems);
  problems.raise();
  return recipe;
}

std::string read_date(const fs::path& file) {
  const YAML::Node root = parse_yaml(read_text(file), file.string());
  const YAML::Node date = root.IsMap() ? root["date"] : YAML::Node();
  return date.IsDefined() && date.IsScalar() ? date.Scalar() : "";
}

Recipe with_overrides(const Recipe& recipe, const Overrides& overrides) {
  Recipe own = recipe;
  Problems problems;
  for (const auto& [key, value] : overrides) {
    if (key == "columns") own.columns = {};  // of another dataset: all of them
    read_override(key + "=" + value, &own, problems);
  }
  problems.raise();
  return own;
}

}  // namespace sdft
