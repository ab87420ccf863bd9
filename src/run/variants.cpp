#include "run/variants.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "base/printable.h"
#include "sdft/method.h"

namespace sdft {

namespace {
// The short form, the only place that knows these names.
std::vector<Variant> short_form() {
  return {{"vanilla", "sft", "", {}}, {"sdft", "self_distillation", "", {}}};
}

// What else stands in a run directory, and the model that no variant may pass for.
constexpr std::array<const char*, 5> kReserved = {"seed", "distill", "drafts", "eval", "DONE"};
constexpr size_t kLongestName = 200;  // of a folder

bool is_baseline(const Variant& variant) { return find_method(variant.method).baseline; }

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// A value as part of a folder's name.
std::string short_value(const std::string& value) {
  std::string plain;
  for (const char c : short_path(value))
    if (is_plain(c) || c == '.' || c == '=')
      plain += c;
    else if (c == ',' || c == '/')
      plain += c == ',' ? '+' : '_';
  return plain;
}

std::string with_value(const std::string& name, const std::string& key, const std::string& value) {
  const std::string longer = name + "," + key + "=" + short_value(value);
  return longer.size() <= kLongestName ? longer : name.substr(0, 100) + "~" + sha256(longer).substr(0, 16);
}

// Whether the setting changes what a variant of this method becomes.
bool is_used(const std::string& key, const Variant& variant) {
  const Method& method = find_method(variant.method);
  Recipe trial;
  unsigned stages = kSelects;  // columns
  for (const Setting& setting : settings(trial)) {
    if (key != setting.name) continue;
    if (setting.used_by) return setting.used_by(method);
    stages = setting.stages;
  }
  const bool trains = method.change == Change::kNone;
  return trains && (method.rewrites || (stages & (kTrain | kSelects | kReplays)));
}

bool has_own(const Variant& variant, const std::string& key) {
  return std::any_of(variant.overrides.begin(), variant.overrides.end(),
                     [&](const auto& own) { return own.first == key; });
}

// Each variant once a value. One that goes on from another does so value by value, where that one has
// several.
std::vector<Variant> crossed(const std::vector<Variant>& variants, const std::string& key,
                             const std::vector<std::string>& values) {
  std::vector<Variant> all;
  std::set<std::string> multiplied;
  for (const Variant& variant : variants) {
    const bool takes = !has_own(variant, key) && is_used(key, variant),
               follows = multiplied.count(variant.after) > 0;
    if (!takes && !follows) {
      all.push_back(variant);
      continue;
    }
    multiplied.insert(variant.name);
    for (const std::string& value : values) {
      all.push_back(variant);
      all.back().name = with_value(variant.name, key, value);
      if (takes) all.back().overrides.emplace_back(key, value);
      if (follows) all.back().after = with_value(variant.after, key, value);
      all.back().swept.emplace_back(key, value);
    }
  }
  return all;
}

// Each variant once a task; what it gives to a setting wins over what the task gives.
std::vector<Variant> chained(const std::vector<Variant>& variants, const std::vector<ContinualTask>& tasks) {
  std::vector<Variant> all;
  for (const Variant& variant : variants) {
    std::string before;
    for (size_t i = 0; i < tasks.size(); ++i) {
      Variant link = variant;
      const std::string stage = std::to_string(i + 1) + "-" + tasks[i].name;
      link.name = with_value(variant.name, "stage", stage);
      link.overrides = tasks[i].overrides;
      link.overrides.insert(link.overrides.end(), variant.overrides.begin(), variant.overrides.end());
      link.swept.emplace_back("stage", stage);
      link.after = before;
      before = link.name;
      all.push_back(std::move(link));
    }
  }
  return all;
}
}  // namespace

bool is_sweep(const Recipe& recipe) { return !recipe.sweep.empty() || !recipe.continual.empty(); }

std::string short_path(const std::string& value) {
  if (value.find('/') == std::string::npos || value[0] == '[') return value;
  const std::filesystem::path path(value);
  return (path.parent_path().filename() / path.stem()).string();
}

bool names_a_folder(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_plain);
}

std::vector<Variant> known_variants(const Recipe& recipe) {
  std::vector<Variant> variants = recipe.variants.empty() ? short_form() : recipe.variants;
  for (Variant& variant : variants) variant.listed = variant.name;
  for (const auto& [key, values] : recipe.sweep) variants = crossed(variants, key, values);
  return recipe.continual.empty() ? variants : chained(variants, recipe.continual);
}

std::vector<Variant> wanted_variants(const Recipe& recipe) {
  std::vector<Variant> wanted = known_variants(recipe);
  if (recipe.variants.empty() && !recipe.baseline)
    wanted.erase(std::remove_if(wanted.begin(), wanted.end(), is_baseline), wanted.end());
  return wanted;
}

Variant find_variant(const Recipe& recipe, const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const Variant& variant : known_variants(recipe)) {
    if (variant.name == name) return variant;
    names.push_back(variant.name);
    all += (all.empty() ? "" : ", ") + variant.name;
  }
  const std::string near = nearest(name, names);
  fail_usage("the recipe has no variant '" + name + "'",
             near.empty() ? "it has " + all : "did you mean '" + near + "'?");
}

std::string baseline_of(const Recipe& recipe) {
  if (is_sweep(recipe)) return "";  // each would have one of its own
  for (const Variant& variant : known_variants(recipe))
    if (is_baseline(variant)) return variant.name;
  return "";
}

Recipe recipe_of(const Recipe& recipe, const Variant& variant) {
  return with_overrides(recipe, variant.overrides);
}

std::string distill_folder(const Recipe& recipe, const Variant& variant) {
  std::string name = "distill", whole;  // whole: what a short value may not tell apart
  auto add = [&](const std::string& key, const std::string& value) {
    name = with_value(name, key, value);
    if (value != short_value(value)) whole += key + "=" + value + "\n";
  };
  Recipe own = recipe_of(recipe, variant), base = recipe;
  if (!variant.after.empty() && own.rewriter != "seed") add("after", variant.after);
  const auto own_table = settings(own), base_table = settings(base);
  for (size_t i = 0; i < own_table.size(); ++i) {
    const std::string value = value_text(own_table[i]);
    if ((own_table[i].stages & (kDistill | kSelects)) && value != value_text(base_table[i]))
      add(own_table[i].name, value);
  }
  for (const auto& [column, value] : column_fields(own.columns))
    for (const auto& [other, kept] : column_fields(base.columns))
      if (column == std::string(other) && *value != *kept) whole += std::string(column) + "=" + *value + "\n";
  return whole.empty() ? name : name + "~" + sha256(whole).substr(0, 8);
}

std::string fault_of(const Variant& variant, const std::vector<Variant>& before) {
  const std::string& name = variant.name;
  if (!names_a_folder(name))
    return "'name': expected up to 64 letters, digits, - and _, for it names a folder, found '" +
           printable(name.substr(0, 80)) + "'";
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end())
    return "'name': '" + name + "' has its own meaning in a run directory; choose another";
  for (const Variant& other : before)
    if (other.name == name) return "a second variant is named '" + name + "'";
  if (variant.method.empty()) return "'method' is missing";
  const auto earlier = [&](const Variant& other) { return other.name == variant.after; };
  if (!variant.after.empty() && std::none_of(before.begin(), before.end(), earlier))
    return "'after': no variant before it is named '" + variant.after + "'";
  try {
    if (find_method(variant.method).change != Change::kNone && variant.after.empty())
      return "'after' is missing: " + variant.method + " changes what another variant became";
  } catch (const Error& error) {
    return "'method': " + std::string(error.what());
  }
  return "";
}

namespace {
// What stays when training goes on: all weights, or an adapter's form.
std::string trained_kind(const Recipe& recipe) {
  const LoraConfig& lora = recipe.train.lora;
  std::string kind = recipe.train.finetuning_type + " " + std::to_string(lora.rank) + " " +
                     std::to_string(lora.alpha) + (lora.use_rslora ? " rslora" : "");
  for (const std::string& target : lora.target_modules) kind += " " + target;
  if (lora.use_dora) kind += " dora";
  for (const LayerPatterns* patterns : {&lora.rank_pattern, &lora.alpha_pattern}) {
    kind += " |";
    for (const auto& [pattern, number] : *patterns) kind += " " + pattern + "=" + std::to_string(number);
  }
  for (const std::string& module : lora.modules_to_save) kind += " " + module;
  return recipe.train.finetuning_type == "lora" ? kind : "full";
}

// A setting of a continual run's task that a variant or the sweep gives, too, or "".
std::string twice_given(const Recipe& recipe) {
  for (const ContinualTask& task : recipe.continual)
    for (const auto& own : task.overrides) {
      for (const auto& [key, values] : recipe.sweep)
        if (key == own.first) return key;
      for (const Variant& variant : recipe.variants)
        if (has_own(variant, own.first)) return own.first;
    }
  return "";
}
// A setting of the sweep that makes no variants, or "".
std::string swept_in_vain(const Recipe& recipe) {
  const std::vector<Variant> wanted = wanted_variants(recipe);
  for (const auto& [key, values] : recipe.sweep) {
    auto has = [name = key](const Variant& variant) {
      return std::any_of(variant.swept.begin(), variant.swept.end(),
                         [&](const auto& swept) { return swept.first == name; });
    };
    if (std::none_of(wanted.begin(), wanted.end(), has)) return key;
  }
  return "";
}
}  // namespace

std::string fault_of_all(const Recipe& recipe) {
  for (const Variant& variant : recipe.variants)
    if (!recipe.continual.empty() && !variant.after.empty())
      return "variant '" + variant.name +
             "': 'after' cannot stand beside 'continual', which chains by itself";
  if (const std::string key = twice_given(recipe); !key.empty())
    return "'" + key +
           "' is given by a task of 'continual' and by 'variants' or 'sweep', too; give it in one place";
  size_t count = std::max<size_t>(1, recipe.continual.size()) * std::max<size_t>(2, recipe.variants.size());
  for (const auto& [key, values] : recipe.sweep) count *= std::max<size_t>(1, values.size());
  if (count > kMostVariants)
    return "the sweep makes up to " + std::to_string(count) + " trainings, expected " +
           std::to_string(kMostVariants) + " at most";
  if (const std::string key = swept_in_vain(recipe); !key.empty())
    return "'sweep': the method of no variant uses '" + key + "', or each sets it itself";
  std::map<std::string, std::string> trained;  // what a training goes on with, by name
  std::set<std::string> pruned;
  for (const Variant& variant : wanted_variants(recipe)) {
    const bool changes = find_method(variant.method).change != Change::kNone;  // of what it goes on from
    const std::string type = changes ? trained.at(variant.after) : trained_kind(recipe_of(recipe, variant));
    if (!recipe.adapter_name_or_path.empty() && type != trained_kind(recipe))
      return "variant '" + variant.name +
             "': the adapter of adapter_name_or_path has a rank, alpha and layers already, which training "
             "keeps";
    if (!trained.emplace(variant.name, type).second)
      return "two combinations of values are both called '" + variant.name +
             "'; list them under 'variants' with names of their own";
    if (pruned.count(variant.after) && type != "full")
      return "variant '" + variant.name + "': cannot go on from '" + variant.after +
             "', of whose change pruning keeps no adapter's form";
    if (find_method(variant.method).change == Change::kPruning) pruned.insert(variant.name);
    if (!variant.after.empty() && trained.at(variant.after) != type)
      return "variant '" + variant.name + "': goes on from '" + variant.after +
             "', so both need the same finetuning_type and the same kind, rank, alpha and layers of LoRA";
    const bool trains = find_method(variant.method).change == Change::kNone;
    if (!variant.after.empty() && trains && recipe_of(recipe, variant).train.lora.init == "pissa")
      return "variant '" + variant.name + "': goes on from '" + variant.after +
             "', whose adapter has its numbers already; init_lora_weights: pissa is of new adapters";
  }
  return "";
}

std::vector<std::pair<std::string, std::filesystem::path>> named_adapters(const Recipe& recipe) {
  std::set<std::string> taken = {"seed"};
  for (const Variant& variant : known_variants(recipe)) taken.insert(variant.name);
  std::vector<std::pair<std::string, std::filesystem::path>> named;
  for (const std::string& text : comma_separated(recipe.adapters)) {
    if (text.empty()) continue;
    std::filesystem::path path = std::filesystem::path(text).lexically_normal(), folder = path;
    if (!folder.has_filename()) folder = folder.parent_path();  // a slash at the end
    std::string name = folder.filename().string();
    if (name == "adapter" || name == "model") name = folder.parent_path().filename().string();
    if (name.empty() || name[0] == '.') name = "tuned";
    std::string own = name;
    for (int number = 2; !taken.insert(own).second; ++number) own = name + "-" + std::to_string(number);
    named.emplace_back(own, path);
  }
  return named;
}

}  // namespace sdft
