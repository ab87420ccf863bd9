// What the evaluation left in a run directory, and what is missing in it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "check/check.h"
#include "infer/answers.h"
#include "report/report.h"
#include "run/recipe.h"

namespace sdft {

inline constexpr const char* kEndpointFailed = "endpoint_failed";  // why there is no answer

// What a model answered to an example, and what the task's check said of it; none where nothing is judged.
struct JudgedAnswer {
  Answer answer;
  std::optional<EvalResult> result;
  // Why there is no answer ("prompt_too_long", "endpoint_failed"); "" where there is one. Of a judged task
  // its result is then kUnanswered.
  std::string unanswered() const;
  bool cut() const;  // it ended at a limit
};

// An example of a task, with the answer of each model by its name.
struct TaskItem {
  std::string id;
  std::map<std::string, JudgedAnswer> answers;
};

struct TaskResults {
  std::vector<TaskItem> items;  // in the order of the task's dataset
  bool judged = false;
};

// Error(kInput) where models have answered different examples, or results are missing or of other answers.
TaskResults read_task_results(const std::filesystem::path& run_dir, const std::vector<std::string>& models,
                              const TaskSettings& task);
// The models, of "seed" and the recipe's variants, that have answered all tasks.
std::vector<std::string> evaluated_models(const Recipe& recipe, const std::filesystem::path& run_dir);
// DIR/failed.json: the variants that could not be made, and why.
using Failures = std::map<std::string, std::string>;
Failures read_failures(const std::filesystem::path& run_dir);
// Of the `tried` ones; those of others stay as they were.
void write_failures(const std::filesystem::path& run_dir, const std::vector<std::string>& tried,
                    const Failures& failures);
// DIR/timings.tsv: seconds by part, all calls together, in the order in which they began.
std::vector<report::Timing> read_timings(const std::filesystem::path& run_dir);
}  // namespace sdft
