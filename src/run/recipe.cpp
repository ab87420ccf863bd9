#include "run/recipe.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/problems.h"
#include "data/prompt.h"
#include "run/variants.h"

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
  // The keys and values of a map; keys that are lists or maps are problems.
  template <typename Use>
  void each(const YAML::Node& map, Use use) const {
    for (const auto& item : map) {
      if (item.first.IsScalar()) {
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

std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t first = part.find_first_not_of(' ');
    if (first != std::string::npos)
      names.push_back(part.substr(first, part.find_last_not_of(' ') - first + 1));
    begin = end + 1;
  }
  return names;
}

std::string found(const YAML::Node& node) {
  return node.IsScalar() ? "'" + node.Scalar() + "'" : node.IsNull() ? "nothing" : "a list or map";
}

// Puts the value in its place; what it should have been, where it is of another type.
const char* put(const Setting& setting, const YAML::Node& node) {
  if (auto* text = std::get_if<std::string*>(&setting.target)) {
    if (node.IsNull()) return (*text)->clear(), nullptr;
    return node.IsScalar() && convert(node, *text) ? nullptr : "a text";
  }
  if (auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    if (node.IsScalar()) **list = comma_separated(node.Scalar());
    return (node.IsScalar() || (node.IsSequence() && convert(node, *list))) && !(*list)->empty()
               ? nullptr
               : "a list of names";
  }
  if (auto* numbers = std::get_if<std::vector<double>*>(&setting.target)) {
    const YAML::Node list = node.IsScalar() ? YAML::Node(comma_separated(node.Scalar())) : node;
    return list.IsSequence() && convert(list, *numbers) ? nullptr : "a list of numbers";
  }
  if (auto* flag = std::get_if<bool*>(&setting.target))
    return convert(node, *flag) ? nullptr : "true or false";
  if (auto* real = std::get_if<double*>(&setting.target)) return convert(node, *real) ? nullptr : "a number";
  if (auto* whole = std::get_if<int64_t*>(&setting.target))
    return convert(node, *whole) ? nullptr : "a whole number";
  auto* seed = std::get_if<uint64_t*>(&setting.target);
  const bool negative = node.IsScalar() && node.Scalar().find('-') != std::string::npos;
  return !negative && convert(node, *seed) ? nullptr : "a whole number, 0 or more";
}

std::string range_of(const Setting& s) {
  const bool open = s.high >= std::numeric_limits<double>::max();
  return s.above_low ? fmt::format("above {} and up to {}", s.low, s.high)
         : open      ? fmt::format("{} or more", s.low)
                     : fmt::format("{} to {}", s.low, s.high);
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
  if (!in_range) reading.add(name + "expected " + range_of(setting) + ", found " + value_text(setting));
  auto* text = std::get_if<std::string*>(&setting.target);
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
  std::string expanded;
  for (size_t begin = 0; begin <= paths->size();) {
    const size_t end = std::min(paths->find(',', begin), paths->size());
    std::string part = paths->substr(begin, end - begin);
    const size_t space = std::min(part.find_first_not_of(' '), part.size());
    std::string path = part.substr(space);
    expand_home(&path, reading);
    expanded += (begin > 0 ? "," : "") + part.substr(0, space) + path;
    begin = end + 1;
  }
  *paths = expanded;
}

void assign(const Setting& setting, const YAML::Node& node, const Reading& reading) {
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

// A task's name is a folder's.
void check_task_name(const std::string& name, const Reading& reading) {
  if (name.empty()) return reading.add("'name' is missing");
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= ' ' && c != 127; });
  if (!plain || name.find('/') != std::string::npos || name[0] == '.')
    reading.add("'name': must not begin with '.' nor contain '/' or control characters, it names a folder");
  if (name.size() > 200) reading.add("'name': is longer than 200 bytes, it names a folder");
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
  check_task_name(task.name, reading);
  if (task.dataset.empty()) reading.add("'dataset' is missing");
  for (const TaskSettings& other : *tasks)
    if (other.name == task.name) reading.add("a second task is named '" + task.name + "'");
  tasks->push_back(task);
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
    const std::vector<Setting> fields = {{"", "name", &variant.name, ""},
                                         {"", "method", &variant.method, ""}};
    inside.each(node[i], [&](const std::string& key, const YAML::Node& value) {
      for (const Setting& field : fields)
        if (key == field.name) return assign(field, value, inside);
      inside.unknown(key, names_of(fields, {}));
    });
    if (const std::string fault = fault_of(variant, *variants); !fault.empty()) inside.add(fault);
    variants->push_back(variant);
  }
}

void read_setting(const std::string& key, const YAML::Node& node, const Reading& reading, Recipe* recipe) {
  const auto table = settings(*recipe);
  for (const Setting& setting : table)
    if (key == setting.name) return assign(setting, node, reading);
  if (key == "columns") return read_columns(node, reading, &recipe->columns);
  if (key == "chat_template_kwargs") {
    if (!node.IsMap())
      return reading.add("'chat_template_kwargs': expected a map, as {enable_thinking: false}");
    size_t left = 10000;
    recipe->chat_template_kwargs = json_of(node, reading, &left);
    return;
  }
  if (key == "template_variables")
    return reading.add("'template_variables' is now called 'chat_template_kwargs'");
  if (key == "variants") return read_variants(node, reading, &recipe->variants);
  if (key != "eval")
    return reading.unknown(key, names_of(table, {"columns", "eval", "chat_template_kwargs", "variants"}));
  if (!node.IsSequence()) return reading.add("'eval': expected a list of tasks, found " + found(node));
  recipe->eval.clear();
  for (size_t i = 0; i < node.size(); ++i)
    read_task(node[i], reading.inside("eval[" + std::to_string(i) + "]"), &recipe->eval);
}

// What single values do not show.
void check_together(const Recipe& r, Problems& problems) {
  if (r.reasoning == "keep" && r.train_on_prompt)
    problems.add("'train_on_prompt': learns all tokens, which 'reasoning: keep' forbids of traces");
  if (r.rewrite_attempts > 1 && r.sampling.temperature == 0)
    problems.add("'rewrite_attempts': greedy rewrites (temperature 0) come out the same each time");
  if (r.baseline && !r.variants.empty())
    problems.add("'baseline': is the short form of 'variants'; give one of the two");
  if (r.train.finetuning_type == "full" && !r.adapter_name_or_path.empty())
    problems.add(
        "'adapter_name_or_path': full fine-tuning cannot start from an adapter; merge it first (sdft merge)");
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
  const bool structured = key == "eval" || key == "columns" || key == "chat_template_kwargs" ||
                          key == "variants" || (!value.empty() && value[0] == '[');
  bool text = false;  // taken as it is, with what YAML would read as a comment or a quote
  for (const Setting& setting : settings(*recipe))
    text |= key == setting.name && std::holds_alternative<std::string*>(setting.target);
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
    reading.each(root, [&](const std::string& key, const YAML::Node& node) {
      read_setting(key, node, reading, &recipe);
    });
  }
  for (const auto& override : overrides) read_override(override, &recipe, problems);
  check_together(recipe, problems);
  problems.raise();
  return recipe;
}

namespace {
void emit(YAML::Emitter& out, const Setting& setting) {
  out << YAML::Key << setting.name << YAML::Value;
  if (auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    out << YAML::Flow << **list;
  } else if (std::holds_alternative<std::vector<double>*>(setting.target)) {
    out << YAML::Load(value_text(setting));
  } else if (auto* text = std::get_if<std::string*>(&setting.target)) {
    out << **text;
  } else {
    out << value_text(setting);
  }
}

void emit_columns(YAML::Emitter& out, Columns columns) {
  std::map<std::string, std::string> given;
  for (const auto& [name, value] : column_fields(columns))
    if (!value->empty()) given[name] = *value;
  if (!given.empty()) out << YAML::Key << "columns" << YAML::Value << given;
}

void emit_task(YAML::Emitter& out, TaskSettings task) {
  const TaskSettings defaults;
  out << YAML::BeginMap;
  for (const Setting& setting : task_settings(task)) {
    const std::string text = value_text(setting);
    if (!text.empty() && text != "0") emit(out, setting);
  }
  emit_columns(out, task.columns);
  out << YAML::EndMap;
}
}  // namespace

std::string resolved_recipe(const Recipe& recipe) {
  Recipe copy = recipe;
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Setting& setting : settings(copy)) emit(out, setting);
  emit_columns(out, copy.columns);
  if (!copy.variants.empty()) {
    out << YAML::Key << "variants" << YAML::Value << YAML::BeginSeq;
    for (const Variant& variant : copy.variants)
      out << YAML::Flow << YAML::BeginMap << YAML::Key << "name" << YAML::Value << variant.name << YAML::Key
          << "method" << YAML::Value << variant.method << YAML::EndMap;
    out << YAML::EndSeq;
  }
  if (!copy.eval.empty()) {
    out << YAML::Key << "eval" << YAML::Value << YAML::BeginSeq;
    for (const TaskSettings& task : copy.eval) emit_task(out, task);
    out << YAML::EndSeq;
  }
  out << YAML::EndMap;
  std::string text = std::string(out.c_str()) + "\n";
  if (!copy.chat_template_kwargs.empty())  // JSON is YAML, and keeps texts apart from numbers
    text += "chat_template_kwargs: " + copy.chat_template_kwargs.dump() + "\n";
  return text;
}

}  // namespace sdft
