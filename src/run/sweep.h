// A sweep's or a continual run's results side by side.
#pragma once

#include <filesystem>
#include <string>

#include "run/recipe.h"

namespace sdft {

// From the run directory's report.json and the variants' files: sweep.json, sweep.md, sweep.html; returns its
// text for a terminal, with how long each variant took, which the files leave out.
std::string sweep_stage(const Recipe& recipe, const std::filesystem::path& run_dir);

}  // namespace sdft
