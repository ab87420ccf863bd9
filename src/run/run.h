// A run: its stages in turn, over one run directory. Stage by stage is the same as all at once.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "run/recipe.h"

namespace sdft {

struct RunOptions {
  const std::atomic<bool>* stop = nullptr;  // Error(kInterrupted) soon after it is true
  bool progress = true;                     // bars on stderr
  bool fresh = false;                       // make anew what was made from something else
  // Checks everything and foretells each training's steps and memory (training_plan.h); writes and trains
  // nothing.
  bool dry_run = false;
  // The name of the variant that kTrain trains. "": all that the recipe asks for (variants.h); without a
  // distill stage in this call or this directory those whose method needs none.
  std::string variant;
};

// Carries out these stages (bits of Stages) and returns what there is to say: with all of them the report,
// which is written too, else a line for each result. Throws Error: see validate.h and stage_folder.h.
std::string run_recipe(const Recipe& recipe, unsigned stages, const RunOptions& options);

// The reports of what a run directory holds, written anew; returns that of a sweep, else the run's, as text
// for a terminal.
std::string report_run(const Recipe& recipe, const std::filesystem::path& run_dir);

}  // namespace sdft
