// What the evaluation of a run directory found, with its intervals and tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/example_pages.h"
#include "report/report.h"
#include "run/recipe.h"

namespace sdft {

// Of these models, each of which has answered all tasks. Error(kInput) as read_task_results().
report::Evaluation read_evaluation(const Recipe& recipe, const std::filesystem::path& dir,
                                   const std::vector<std::string>& models);

// Of the judged tasks the examples where a model is right and the seed wrong, or the other way round: the
// first `most`, and how many there are. None without a seed.
std::vector<report::ChangedExample> changed_examples(const Recipe& recipe, const std::filesystem::path& dir,
                                                     const std::vector<std::string>& models, size_t most,
                                                     size_t* all);

// DIR/results.json (docs/formats.md) and, of task files, DIR/lm_eval/MODEL.json in the form of
// lm-evaluation-harness's results. Returns the table for a terminal.
std::string write_results(const Recipe& recipe, const std::filesystem::path& dir,
                          const std::vector<std::string>& models);

// Two evaluations, each a run directory or DIR:MODEL (without: the one model of it that is not the seed, else
// the seed), on the tasks and examples that both have: a table of paired differences. Error(kUsage) where
// they have none in common.
std::string compare_evaluations(const std::string& before, const std::string& after);

}  // namespace sdft
