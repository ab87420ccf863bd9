// The whole pipeline on the shipped mini seed model, offline; and the same over several seeds, as an
// experiment.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/run.h"

namespace sdft {

// The folder with demo.yaml, mini-seed and mini-world: $SDFT_ASSETS, else next to the executable's build
// folder, else where it was built. Error(kInput) with the places where there is none.
std::filesystem::path assets_dir();
// demo.yaml of the assets with overrides; its paths made to point into the assets.
Recipe demo_recipe(const std::vector<std::string>& overrides);

// Runs the recipe with the seeds 1 .. count in OUTPUT_DIR/seed-N (each resumable) and writes
// OUTPUT_DIR/seeds.md: every task's mean over seeds with a 95 % t interval, and what each variant lost.
// Returns the table.
std::string run_seeds(const Recipe& recipe, int64_t count, const RunOptions& options);

}  // namespace sdft
