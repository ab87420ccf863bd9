#include "report/measure.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "eval/paired.h"

namespace sdft::report {
namespace {

Interval interval(const Estimate& estimate) { return {estimate.low, estimate.high}; }

// Of the examples that both answered.
struct Pairs {
  std::vector<double> before, after;
};
Pairs pairs_of(const ModelScores& before, const ModelScores& after) {
  if (before.scores.size() != after.scores.size())
    throw std::logic_error("measured_task: '" + after.model + "' has other examples than '" + before.model +
                           "'");
  Pairs pairs;
  for (size_t i = 0; i < before.scores.size(); ++i) {
    if (std::isnan(before.scores[i]) || std::isnan(after.scores[i])) continue;
    pairs.before.push_back(before.scores[i]);
    pairs.after.push_back(after.scores[i]);
  }
  return pairs;
}

Score score_of(const ModelScores& model) {
  std::vector<double> answered;
  for (double score : model.scores)
    if (!std::isnan(score)) answered.push_back(score);
  const Estimate estimate = mean_score(answered);
  Score score;
  score.model = model.model;
  score.n = static_cast<int64_t>(answered.size());
  score.value = estimate.value;
  score.interval = interval(estimate);
  return score;
}

Difference difference_of(const ModelScores& before, const ModelScores& after) {
  const Pairs pairs = pairs_of(before, after);
  const PairedComparison c = compare_pairs(pairs.before, pairs.after);
  Difference difference;
  difference.against = before.model;
  difference.value = c.difference.value;
  difference.interval = interval(c.difference);
  difference.n = static_cast<int64_t>(c.n);
  difference.p_value = c.p_value;
  difference.detectable = c.detectable;
  return difference;
}

const ModelScores& find(const MeasuredScores& scores, const std::string& task, const std::string& model) {
  for (const ModelScores& found : scores.at(task))
    if (found.model == model) return found;
  throw std::out_of_range("add_tests: no scores of '" + model + "' on '" + task + "'");
}

}  // namespace

Task measured_task(const std::string& name, const std::string& kind, const std::string& metric,
                   const std::vector<ModelScores>& models, const std::set<std::string>& references) {
  Task task;
  task.name = name;
  task.kind = kind;
  task.metric = metric;
  for (const ModelScores& model : models) {
    Score score = score_of(model);
    bool before = true;
    for (const ModelScores& other : models) {
      if (other.model == model.model) before = false;
      if (!references.count(other.model) || other.model == model.model) continue;
      if (!before && references.count(model.model)) continue;
      score.differences.push_back(difference_of(other, model));
    }
    task.scores.push_back(std::move(score));
  }
  return task;
}

void add_tests(const MeasuredScores& scores, const std::string& baseline, Evaluation* evaluation) {
  for (JointTest& test : wanted_joint_tests(*evaluation, baseline)) {
    std::vector<std::vector<double>> differences;
    for (const std::string& task : test.tasks) {
      const Pairs pairs = pairs_of(find(scores, task, test.against), find(scores, task, test.model));
      std::vector<double>& own = differences.emplace_back();
      for (size_t i = 0; i < pairs.before.size(); ++i) own.push_back(pairs.after[i] - pairs.before[i]);
    }
    test.p_value = sign_flip_p_over_tasks(differences);
    evaluation->joint_tests.push_back(std::move(test));
  }
  adjust_p_values(evaluation);
}

}  // namespace sdft::report
