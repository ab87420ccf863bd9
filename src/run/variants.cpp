#include "run/variants.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "sdft/method.h"

namespace sdft {

namespace {
// The short form, the only place that knows these names.
std::vector<Variant> short_form() { return {{"vanilla", "sft"}, {"sdft", "self_distillation"}}; }

// What else stands in a run directory, and the model that no variant may pass for.
constexpr std::array<const char*, 4> kReserved = {"seed", "distill", "eval", "DONE"};

bool is_baseline(const Variant& variant) { return find_method(variant.method).baseline; }

// Letters, digits, - and _, so that no file of the run directory (report.json) is meant.
bool names_a_folder(const std::string& name) {
  const std::string_view other = "-_";
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           other.find(c) != std::string_view::npos;
  });
}
}  // namespace

std::vector<Variant> known_variants(const Recipe& recipe) {
  return recipe.variants.empty() ? short_form() : recipe.variants;
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

std::string fault_of(const Variant& variant, const std::vector<Variant>& before) {
  const std::string& name = variant.name;
  if (!names_a_folder(name))
    return "'name': expected up to 64 letters, digits, - and _, for it names a folder, found '" + name + "'";
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end())
    return "'name': '" + name + "' has its own meaning in a run directory; choose another";
  for (const Variant& other : before)
    if (other.name == name) return "a second variant is named '" + name + "'";
  try {
    find_method(variant.method);
  } catch (const Error& error) {
    return "'method': " + std::string(error.what());
  }
  return "";
}

}  // namespace sdft
