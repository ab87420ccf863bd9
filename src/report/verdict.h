// What the numbers say, in plain words and without claiming more than they show: a difference is measurable
// where its paired test has p < 0.05 after Holm's correction; one that was not tested is told but not judged.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

enum class Outcome { kUnknown, kWorse, kSame, kBetter };

inline constexpr double kSignificant = 0.05;  // of adjusted p values

// Score of one model minus that of another.
struct Comparison {
  double value = kMissing;
  Interval interval;
  double p_adjusted = kMissing;
  Outcome outcome() const;
};

const Score* find_score(const Task& task, const std::string& model);
double score_value(const Task& task, const std::string& model);
int64_t examples_of(const Task& task);  // the most that a model was scored on

// The paired difference the document gives; where it gives none, the difference of the two scores, untested,
// with an interval made of theirs as if they were independent (MOVER; wider than the paired one as a rule).
Comparison compare(const Task& task, const std::string& model, const std::string& against);
// The one that the document gives for the two, either way round; nullptr for none.
const Difference* find_difference(const Task& task, const std::string& model, const std::string& against);

// The mean of the tasks' differences; the interval is made of theirs, missing where a task has none. Its p
// is that of the joint test of these tasks, of a single task its own.
Comparison mean_comparison(const Evaluation& evaluation, const std::vector<const Task*>& tasks,
                           const std::string& model, const std::string& against);

// The models that are compared; "" where there is none.
struct Roles {
  std::string seed;
  std::string baseline;
  std::string tuned;
};
// Of the document's models; without another one, the baseline is the tuned one.
Roles find_roles(const Document& document);

// Retained and safety tasks that all three were scored on.
std::vector<const Task*> forgettable(const Evaluation& evaluation, const Roles& roles);

// All tasks of one kind together: means over the tasks, each weighing the same. A task counts if every model
// that has a score of this kind has one there; of a kind of one metric, if its metric is that of the first.
struct KindSummary {
  Kind kind{};
  std::vector<const Task*> tasks;
  size_t left_out = 0;
  double seed = kMissing;
  double baseline = kMissing;
  double tuned = kMissing;
  Comparison tuned_to_seed;
  Comparison baseline_to_seed;
  Comparison tuned_to_baseline;
  std::vector<const Task*>
      worse;  // tasks where the tuned model is measurably below the seed, the worst first
};
// Of the kinds that have tasks.
std::vector<KindSummary> summarize(const Evaluation& evaluation, const Roles& roles);

// "lost 2.1 points [1.0, 3.2]", "no measurable change (−0.4 points [−2.1, 1.3])", "+3.0 points, not tested".
std::string change_in_words(const Comparison& change);
// What the means hide: the task with the greatest measurable loss, how large a change could have been missed,
// tasks left out. Sentences, or "".
std::string remarks(const KindSummary& kind, const Roles& roles);

struct VerdictLine {
  std::string label;
  std::string text;
};
struct Verdict {
  std::string headline;
  std::vector<VerdictLine> kinds;  // one a kind of tasks
  // The tuned model against the baseline, or why there is no such comparison; then a headline of each further
  // model.
  std::vector<VerdictLine> conclusion;
};
Verdict find_verdict(const Document& document);

// The document's warnings, then those its numbers call for: rewrites that cannot be good, few accepted,
// mostly unchanged, examples
// unaccounted for or cut, no nearer to the seed, wide intervals, unequal example counts, losses that
// are not numbers, trainings that ended early.
std::vector<std::string> find_warnings(const Document& document);

}  // namespace sdft::report
