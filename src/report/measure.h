// From the scores of each example to a document's tasks: scores with their intervals, paired differences with
// their tests. Who has answers and a check makes scores of them and calls this.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

// One model's scores, 0 to 1, of a task's examples, in an order that all models share; NaN where it did not
// answer, which is in no mean and no pair.
struct ModelScores {
  std::string model;
  std::vector<double> scores;
};

// The task with each model's score and its difference from those of `references`; of two references the
// later one has it. Different numbers of examples are an internal error (std::logic_error).
Task measured_task(const std::string& name, const std::string& kind, const std::string& metric,
                   const std::vector<ModelScores>& models, const std::set<std::string>& references);

// By the name of each task of an evaluation.
using MeasuredScores = std::map<std::string, std::vector<ModelScores>>;

// When the evaluation has all its tasks: tests of the means over several of them, and Holm's correction of
// all. A task or model that `scores` lacks is an internal error (std::out_of_range).
void add_tests(const MeasuredScores& scores, const std::string& baseline, Evaluation* evaluation);

}  // namespace sdft::report
