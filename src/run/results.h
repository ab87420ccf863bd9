// What the evaluation left in a run directory.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "run/recipe.h"

namespace sdft {

// A task's answers and scores, of each model on each example, in the order of `ids`.
struct TaskResults {
  std::vector<std::string> ids;
  size_t too_long = 0;  // prompts that the model's context could not hold: not cut, not answered
  std::vector<std::vector<std::string>> answers;  // a model each
  std::vector<std::vector<double>> scores;        // a model each; empty: not judged
  bool judged() const { return !scores.empty() && !scores[0].empty(); }
};

// Error(kInput) where models have answered different examples.
TaskResults read_task_results(const std::filesystem::path& run_dir, const std::vector<std::string>& models,
                              const TaskSettings& task);
// The models, of "seed", "vanilla" and "sdft", that have answered all tasks.
std::vector<std::string> evaluated_models(const Recipe& recipe, const std::filesystem::path& run_dir);
// For a terminal: a line a task, right answers of each model.
std::string results_table(const Recipe& recipe, const std::filesystem::path& run_dir,
                          const std::vector<std::string>& models);

}  // namespace sdft
