// The variants of a recipe: what is trained, told apart by name and method. A sweep puts each value of its
// settings into each of them; in a continual run each becomes a chain, a link a task. So a sweep and a
// continual run are runs of many variants, which share the seed, its rewrites and its evaluation.
#pragma once

#include <string>
#include <vector>

#include "run/recipe.h"

namespace sdft {

// A sweep of more is a slip of the hand.
inline constexpr size_t kMostVariants = 1000;

// All that the recipe's run directory may hold, in the order in which they are trained and shown: those under
// `variants`, else the two of the short form, `baseline: true` or false; each of them once for every
// combination of a sweep ("sdft,lora_rank=64,seed=2") and every task of a continual run ("sdft,stage=1-a").
// What a method does not use is not swept over.
std::vector<Variant> known_variants(const Recipe& recipe);
// Of these, what the recipe asks for: the short form trains the baseline only where `baseline` is true.
std::vector<Variant> wanted_variants(const Recipe& recipe);
// Error(kUsage) with the nearest where the recipe has none of that name.
Variant find_variant(const Recipe& recipe, const std::string& name);
// The first variant of a baseline method, which a report holds the others against; "" where there is none.
std::string baseline_of(const Recipe& recipe);

// Whether its variants are compared in a table and figures of their own (sweep.h).
bool is_sweep(const Recipe& recipe);

// The recipe as it holds for the variant.
Recipe recipe_of(const Recipe& recipe, const Variant& variant);
// The folder of a run directory with the rewrites that the variant learns: variants that have the same
// settings for rewriting have the same.
std::string distill_folder(const Recipe& recipe, const Variant& variant);

// Of a path its file without its ending, and the folder that holds it; other values as they are.
std::string short_path(const std::string& value);
// Up to 64 letters, digits, - and _, so that no file of the run directory (report.json) is meant.
bool names_a_folder(const std::string& name);
// What is wrong with a variant of a recipe's list, or "": its name (it names a folder), its method, or that
// one before it has the same name.
std::string fault_of(const Variant& variant, const std::vector<Variant>& before);
// What is wrong with all of them together, or "".
std::string fault_of_all(const Recipe& recipe);

// The recipe's `adapters` by the names that results have: the folder's, or its parent's where it is called
// adapter or model, with a number behind where another model is called so.
std::vector<std::pair<std::string, std::filesystem::path>> named_adapters(const Recipe& recipe);

}  // namespace sdft
