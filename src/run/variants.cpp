#include "run/variants.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
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

// A value as part of a folder's name: of a path its file and the folder that holds it.
std::string short_value(const std::string& value) {
  std::string text = value;
  if (value.find('/') != std::string::npos && value[0] != '[') {
    const std::filesystem::path path(value);
    text = (path.parent_path().filename() / path.stem()).string();
  }
  std::string plain;
  for (const char c : text)
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

unsigned stages_of(const std::string& key) {
  Recipe trial;
  for (const Setting& setting : settings(trial))
    if (key == setting.name) return setting.stages;
  return key == "columns" ? kSelects : kNoStage;
}

// Whether the setting changes what a variant of this method becomes.
bool is_used(const std::string& key, const Variant& variant) {
  return find_method(variant.method).rewrites || (stages_of(key) & (kTrain | kSelects | kReplays));
}

bool has_own(const Variant& variant, const std::string& key) {
  return std::any_of(variant.overrides.begin(), variant.overrides.end(),
                     [&](const auto& own) { return own.first == key; });
}

std::vector<Variant> crossed(const std::vector<Variant>& variants, const std::string& key,
                             const std::vector<std::string>& values) {
  std::vector<Variant> all;
  for (const Variant& variant : variants) {
    if (has_own(variant, key) || !is_used(key, variant)) {
      all.push_back(variant);
      continue;
    }
    for (const std::string& value : values) {
      all.push_back(variant);
      all.back().name = with_value(variant.name, key, value);
      all.back().overrides.emplace_back(key, value);
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
  for (const Variant& variant : known_variants(recipe))
    if (is_baseline(variant)) return variant.name;
  return "";
}

bool is_sweep(const Recipe& recipe) { return !recipe.sweep.empty() || !recipe.continual.empty(); }

Recipe recipe_of(const Recipe& recipe, const Variant& variant) {
  return with_overrides(recipe, variant.overrides);
}

std::string distill_folder(const Recipe& recipe, const Variant& variant) {
  std::string name = "distill";
  if (!variant.after.empty()) name = with_value(name, "after", variant.after);
  const Recipe own = recipe_of(recipe, variant);
  Recipe mine = own, base = recipe;
  const auto own_table = settings(mine), base_table = settings(base);
  for (size_t i = 0; i < own_table.size(); ++i) {
    const std::string value = value_text(own_table[i]);
    if ((own_table[i].stages & (kDistill | kSelects)) && value != value_text(base_table[i]))
      name = with_value(name, own_table[i].name, value);
  }
  return name;
}

std::string fault_of(const Variant& variant, const std::vector<Variant>& before) {
  const std::string& name = variant.name;
  if (!names_a_folder(name))
    return "'name': expected up to 64 letters, digits, - and _, for it names a folder, found '" + name + "'";
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end())
    return "'name': '" + name + "' has its own meaning in a run directory; choose another";
  for (const Variant& other : before)
    if (other.name == name) return "a second variant is named '" + name + "'";
  const auto earlier = [&](const Variant& other) { return other.name == variant.after; };
  if (!variant.after.empty() && std::none_of(before.begin(), before.end(), earlier))
    return "'after': no variant before it is named '" + variant.after + "'";
  try {
    find_method(variant.method);
  } catch (const Error& error) {
    return "'method': " + std::string(error.what());
  }
  return "";
}

std::string fault_of_all(const Recipe& recipe) {
  for (const Variant& variant : recipe.variants)
    if (is_sweep(recipe) && !variant.after.empty())
      return "variant '" + variant.name + "': 'after' cannot stand beside 'sweep' or 'continual'";
  std::set<std::string> names;
  for (const Variant& variant : known_variants(recipe))
    if (!names.insert(variant.name).second)
      return "two combinations of values are both called '" + variant.name +
             "'; list them under 'variants' with names of their own";
  return "";
}

}  // namespace sdft
