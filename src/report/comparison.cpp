// Two models held against each other: what the document gives, and what its tests make of it (verdict.h).
#include <algorithm>
#include <cmath>

#include "eval/statistics.h"
#include "report/format.h"
#include "report/verdict.h"

namespace sdft::report {

Outcome Comparison::outcome() const {
  if (!known(value) || !known(p_adjusted)) return Outcome::kUnknown;
  if (!(p_adjusted < kSignificant)) return Outcome::kSame;
  return value > 0 ? Outcome::kBetter : Outcome::kWorse;
}

const Score* find_score(const Task& task, const std::string& model) {
  for (const Score& score : task.scores)
    if (score.model == model) return &score;
  return nullptr;
}

double score_value(const Task& task, const std::string& model) {
  const Score* score = find_score(task, model);
  return score ? score->value : kMissing;
}

int64_t examples_of(const Task& task) {
  int64_t n = 0;
  for (const Score& score : task.scores) n = std::max(n, score.n);
  return n;
}

namespace {

// Zou & Donner's recovery of the interval of a difference from those of its two terms.
Interval interval_of_difference(const Score& a, const Score& b) {
  if (!known(a.interval) || !known(b.interval)) return {};
  double value = a.value - b.value;
  return {value - std::hypot(a.value - a.interval.low, b.interval.high - b.value),
          value + std::hypot(a.interval.high - a.value, b.value - b.interval.low)};
}

const Difference* difference_in(const Score* score, const std::string& against) {
  if (score)
    for (const Difference& difference : score->differences)
      if (difference.against == against && known(difference.value)) return &difference;
  return nullptr;
}

std::vector<std::string> names_of(const std::vector<const Task*>& tasks) {
  std::vector<std::string> names;
  for (const Task* task : tasks) names.push_back(task->name);
  return names;
}

// Which of the two stands first does not matter.
bool is_of(const JointTest& test, const std::vector<std::string>& tasks, const std::string& model,
           const std::string& against) {
  return test.tasks == tasks && ((test.model == model && test.against == against) ||
                                 (test.model == against && test.against == model));
}

}  // namespace

const Difference* find_difference(const Task& task, const std::string& model, const std::string& against) {
  const Difference* found = difference_in(find_score(task, model), against);
  return found ? found : difference_in(find_score(task, against), model);
}

Comparison compare(const Task& task, const std::string& model, const std::string& against) {
  const Score* a = find_score(task, model);
  const Score* b = find_score(task, against);
  if (!a || !b || a == b) return {};
  if (const Difference* d = difference_in(a, against)) return {d->value, d->interval, d->p_adjusted};
  if (const Difference* d = difference_in(b, model))
    return {-d->value, {-d->interval.high, -d->interval.low}, d->p_adjusted};
  if (!known(a->value) || !known(b->value)) return {};
  return {a->value - b->value, interval_of_difference(*a, *b)};
}

// The arms of the intervals add as squares.
Comparison mean_comparison(const Evaluation& evaluation, const std::vector<const Task*>& tasks,
                           const std::string& model, const std::string& against) {
  if (tasks.empty() || model.empty() || against.empty()) return {};
  if (tasks.size() == 1) return compare(*tasks.front(), model, against);
  double sum = 0, low = 0, high = 0;
  for (const Task* task : tasks) {
    Comparison one = compare(*task, model, against);
    sum += one.value;
    low = std::hypot(low, one.value - one.interval.low);
    high = std::hypot(high, one.interval.high - one.value);
  }
  const double n = static_cast<double>(tasks.size());
  Comparison mean{sum / n, {(sum - low) / n, (sum + high) / n}};
  for (const JointTest& test : evaluation.joint_tests)
    if (is_of(test, names_of(tasks), model, against)) mean.p_adjusted = test.p_adjusted;
  return mean;
}

std::vector<JointTest> wanted_joint_tests(const Evaluation& evaluation, const std::string& baseline) {
  std::vector<JointTest> wanted;
  const auto add = [&](const std::vector<const Task*>& tasks, const std::string& model,
                       const std::string& against) {
    const std::vector<std::string> names = names_of(tasks);
    if (names.size() < 2 || model.empty() || against.empty()) return;
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const JointTest& test) { return is_of(test, names, model, against); }))
      wanted.push_back({names, model, against});
  };
  const auto there = [&](const std::string& model) {
    const auto& models = evaluation.models;
    return std::find(models.begin(), models.end(), model) != models.end() ? model : std::string();
  };
  for (const std::string& model : evaluation.models) {
    if (model == "seed") continue;
    const Roles roles{there("seed"), model == baseline ? "" : there(baseline), model};
    std::vector<std::vector<const Task*>> sets;
    for (const KindSummary& kind : summarize(evaluation, roles)) sets.push_back(kind.tasks);
    if (!roles.seed.empty() && !roles.baseline.empty()) sets.push_back(forgettable(evaluation, roles));
    for (const auto& tasks : sets) {
      add(tasks, roles.tuned, roles.seed);
      add(tasks, roles.baseline, roles.seed);
      add(tasks, roles.tuned, roles.baseline);
    }
  }
  return wanted;
}

template <typename Test>
static void adjust(const std::vector<Test*>& family) {
  std::vector<double> p_values;
  for (const Test* test : family) p_values.push_back(test->p_value);
  const std::vector<double> adjusted = holm(p_values);
  for (size_t i = 0; i < family.size(); ++i) family[i]->p_adjusted = adjusted[i];
}

void adjust_p_values(Evaluation* evaluation) {
  std::vector<Difference*> differences;
  for (Task& task : evaluation->tasks)
    for (Score& score : task.scores)
      for (Difference& difference : score.differences) differences.push_back(&difference);
  adjust(differences);
  std::vector<JointTest*> joint;
  for (JointTest& test : evaluation->joint_tests) joint.push_back(&test);
  adjust(joint);
}

}  // namespace sdft::report
