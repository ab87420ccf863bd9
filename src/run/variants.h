// The variants of a recipe: what is trained, told apart by name and method.
#pragma once

#include <string>
#include <vector>

#include "run/recipe.h"

namespace sdft {

// All that the recipe's run directory may hold, in the order in which they are trained and shown: those under
// `variants`, else the two of the short form, `baseline: true` or false.
std::vector<Variant> known_variants(const Recipe& recipe);
// Of these, what the recipe asks for: the short form trains the baseline only where `baseline` is true.
std::vector<Variant> wanted_variants(const Recipe& recipe);
// Error(kUsage) with the nearest where the recipe has none of that name.
Variant find_variant(const Recipe& recipe, const std::string& name);
// The first variant of a baseline method, which a report holds the others against; "" where there is none.
std::string baseline_of(const Recipe& recipe);

// What is wrong with a variant of a recipe's list, or "": its name (it names a folder), its method, or that
// one before it has the same name.
std::string fault_of(const Variant& variant, const std::vector<Variant>& before);

}  // namespace sdft
