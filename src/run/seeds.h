// A recipe over several seeds, as an experiment.
#pragma once

#include <string>

#include "run/run.h"

namespace sdft {

// Runs the recipe with the seeds 1 .. count in OUTPUT_DIR/seed-N (each resumable) and writes
// OUTPUT_DIR/seeds.md: every task's mean over seeds with a 95 % t interval, and what each variant lost.
// Returns the table.
std::string run_seeds(const Recipe& recipe, int64_t count, const RunOptions& options);

}  // namespace sdft
