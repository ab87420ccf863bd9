// What trainings left in a run directory, as a report's document has it.
#pragma once

#include <filesystem>

#include "report/report.h"
#include "run/recipe.h"

namespace sdft {

// Curves, shifts, how each variant learned and what was watched, of all variants whose training is done.
// Error(kInput) naming file and line of what is not as training writes it.
void add_trainings(const Recipe& recipe, const std::filesystem::path& run_dir, report::Document* document);

// The direction of a variant's divergence in words, "forward: KL(seed || student), …"; "" where none is
// minimised. `recipe`: as it holds for the variant.
std::string divergence_in_words(const Recipe& recipe, const Variant& variant);

}  // namespace sdft
