// A recipe as YAML that alone says what was run.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>

#include "run/recipe.h"

namespace sdft {

namespace {
void emit(YAML::Emitter& out, const Setting& setting) {
  out << YAML::Key << setting.name << YAML::Value;
  if (auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    out << YAML::Flow << **list;
  } else if (std::holds_alternative<std::vector<double>*>(setting.target) ||
             std::holds_alternative<LayerPatterns*>(setting.target)) {
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
  TaskSettings standard;
  if (task.task.empty()) standard.check.clear();  // said in any case
  const std::vector<Setting> defaults = task_settings(standard), own = task_settings(task);
  out << YAML::BeginMap;
  for (size_t i = 0; i < own.size(); ++i)
    if (value_text(own[i]) != value_text(defaults[i])) emit(out, own[i]);
  emit_columns(out, task.columns);
  out << YAML::EndMap;
}

// ", key: value" of each, in YAML's flow style. Texts are quoted as in JSON, which YAML reads.
std::string emitted(const Overrides& overrides) {
  Recipe trial;
  const auto table = settings(trial);
  std::string text;
  for (const auto& [key, value] : overrides) {
    const bool quoted = std::any_of(table.begin(), table.end(), [&, &key = key](const Setting& setting) {
      return key == setting.name && std::holds_alternative<std::string*>(setting.target);
    });
    text += ", " + key + ": " + (quoted ? Json(value).dump() : value);
  }
  return text;
}

std::string emitted_variants(const Recipe& recipe) {
  std::string text;
  for (const Variant& variant : recipe.variants)
    text += (text.empty() ? "variants:\n" : "") + std::string("  - {name: ") + Json(variant.name).dump() +
            ", method: " + variant.method +
            (variant.after.empty() ? "" : ", after: " + Json(variant.after).dump()) +
            emitted(variant.overrides) + "}\n";
  for (size_t i = 0; i < recipe.sweep.size(); ++i) {
    const auto& [key, values] = recipe.sweep[i];
    std::string list;
    for (const std::string& value : values) list += emitted({{key, value}}).substr(key.size() + 4) + ", ";
    text += (i == 0 ? "sweep:\n  " : "  ") + key + ": [" + list.substr(0, list.size() - 2) + "]\n";
  }
  for (size_t i = 0; i < recipe.continual.size(); ++i)
    text += (i == 0 ? "continual:\n" : "") + std::string("  - {name: ") +
            Json(recipe.continual[i].name).dump() + emitted(recipe.continual[i].overrides) + "}\n";
  return text;
}
}  // namespace

std::string resolved_recipe(const Recipe& recipe) {
  Recipe copy = recipe;
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Setting& setting : settings(copy)) emit(out, setting);
  emit_columns(out, copy.columns);
  if (!copy.eval.empty()) {
    out << YAML::Key << "eval" << YAML::Value << YAML::BeginSeq;
    for (const TaskSettings& task : copy.eval) emit_task(out, task);
    out << YAML::EndSeq;
  }
  out << YAML::EndMap;
  std::string text = std::string(out.c_str()) + "\n" + emitted_variants(copy);
  if (!copy.chat_template_kwargs.empty())  // JSON is YAML, and keeps texts apart from numbers
    text += "chat_template_kwargs: " + copy.chat_template_kwargs.dump() + "\n";
  return text;
}

}  // namespace sdft
