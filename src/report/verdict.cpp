#include "report/verdict.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "report/format.h"

namespace sdft::report {

Outcome Comparison::outcome() const {
  if (!known(value) || !known(interval)) return Outcome::kUnknown;
  if (interval.low > 0) return Outcome::kBetter;
  return interval.high < 0 ? Outcome::kWorse : Outcome::kSame;
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

// Zou & Donner's recovery of the interval of a difference from those of its two terms.
static Interval interval_of_difference(const Score& a, const Score& b) {
  if (!known(a.interval) || !known(b.interval)) return {};
  double value = a.value - b.value;
  return {value - std::hypot(a.value - a.interval.low, b.interval.high - b.value),
          value + std::hypot(a.interval.high - a.value, b.value - b.interval.low)};
}

static const Difference* find_difference(const Score& score, const std::string& against) {
  for (const Difference& difference : score.differences)
    if (difference.against == against && known(difference.value)) return &difference;
  return nullptr;
}

int64_t examples_of(const Task& task) {
  int64_t n = 0;
  for (const Score& score : task.scores) n = std::max(n, score.n);
  return n;
}

Comparison compare(const Task& task, const std::string& model, const std::string& against) {
  const Score* a = find_score(task, model);
  const Score* b = find_score(task, against);
  if (!a || !b || a == b) return {};
  if (const Difference* paired = find_difference(*a, against)) return {paired->value, paired->interval};
  if (const Difference* paired = find_difference(*b, model))
    return {-paired->value, {-paired->interval.high, -paired->interval.low}};
  if (!known(a->value) || !known(b->value)) return {};
  return {a->value - b->value, interval_of_difference(*a, *b)};
}

Roles find_roles(const Evaluation& evaluation) {
  Roles roles;
  for (const std::string& model : evaluation.models) {
    if (model == "seed")
      roles.seed = model;
    else if (model == "vanilla")
      roles.vanilla = model;
    else if (roles.tuned.empty())
      roles.tuned = model;
  }
  if (roles.tuned.empty()) std::swap(roles.tuned, roles.vanilla);
  return roles;
}

static double mean_value(const std::vector<const Task*>& tasks, const std::string& model) {
  double sum = 0;
  for (const Task* task : tasks) sum += score_value(*task, model);
  return tasks.empty() ? kMissing : sum / tasks.size();
}

// The mean of the tasks' differences; their examples are independent, so the arms of the intervals add as
// squares.
static Comparison mean_comparison(const std::vector<const Task*>& tasks, const std::string& model,
                                  const std::string& against) {
  if (tasks.empty() || model.empty() || against.empty()) return {};
  double sum = 0, low = 0, high = 0;
  for (const Task* task : tasks) {
    Comparison one = compare(*task, model, against);
    sum += one.value;
    low = std::hypot(low, one.value - one.interval.low);
    high = std::hypot(high, one.interval.high - one.value);
  }
  double n = static_cast<double>(tasks.size());
  return {sum / n, {(sum - low) / n, (sum + high) / n}};
}

static KindSummary summarize(const Evaluation& evaluation, const Kind& kind, const Roles& roles) {
  KindSummary summary;
  summary.kind = kind;
  std::vector<const Task*> all;
  for (const Task& task : evaluation.tasks)
    if (task.kind == kind.name) all.push_back(&task);
  auto has = [](const Task* task, const std::string& model) { return known(score_value(*task, model)); };
  std::vector<std::string> scored;
  for (const std::string& role : {roles.seed, roles.vanilla, roles.tuned})
    if (std::any_of(all.begin(), all.end(), [&](const Task* task) { return has(task, role); }))
      scored.push_back(role);
  for (const Task* task : all)
    if (!scored.empty() &&
        std::all_of(scored.begin(), scored.end(), [&](const std::string& model) { return has(task, model); }))
      summary.tasks.push_back(task);
  summary.left_out = all.size() - summary.tasks.size();
  summary.seed = mean_value(summary.tasks, roles.seed);
  summary.vanilla = mean_value(summary.tasks, roles.vanilla);
  summary.tuned = mean_value(summary.tasks, roles.tuned);
  summary.tuned_to_seed = mean_comparison(summary.tasks, roles.tuned, roles.seed);
  summary.vanilla_to_seed = mean_comparison(summary.tasks, roles.vanilla, roles.seed);
  summary.tuned_to_vanilla = mean_comparison(summary.tasks, roles.tuned, roles.vanilla);
  for (const Task* task : all)
    if (compare(*task, roles.tuned, roles.seed).outcome() == Outcome::kWorse) summary.worse.push_back(task);
  std::stable_sort(summary.worse.begin(), summary.worse.end(), [&](const Task* a, const Task* b) {
    return compare(*a, roles.tuned, roles.seed).value < compare(*b, roles.tuned, roles.seed).value;
  });
  return summary;
}

std::vector<KindSummary> summarize(const Evaluation& evaluation) {
  std::vector<KindSummary> summaries;
  Roles roles = find_roles(evaluation);
  for (const Kind& kind : kKinds) {
    KindSummary summary = summarize(evaluation, kind, roles);
    if (summary.tasks.size() + summary.left_out > 0) summaries.push_back(std::move(summary));
  }
  return summaries;
}

// --- Words ---

std::string change_in_words(const Comparison& change) {
  if (!known(change.value)) return "not comparable";
  std::string size = points_bare(change.value) + " points ";
  switch (change.outcome()) {
    case Outcome::kBetter:
      return "gained " + size + points_interval(change.interval);
    case Outcome::kWorse:
      return "lost " + size + points_interval({-change.interval.high, -change.interval.low});
    case Outcome::kSame:
      return "no measurable change (" + points(change.value) + " points " + points_interval(change.interval) +
             ")";
    case Outcome::kUnknown:
      break;
  }
  return points(change.value) + " points, without an interval to judge it by";
}

std::string remarks(const KindSummary& kind, const Roles& roles) {
  std::vector<std::string> sentences;
  auto counted = static_cast<int64_t>(kind.tasks.size()), all = counted + static_cast<int64_t>(kind.left_out);
  if (!kind.worse.empty() && all > 1) {
    const Task& worst = *kind.worse.front();
    Comparison loss = compare(worst, roles.tuned, roles.seed);
    sentences.push_back("Measurably below the seed on " + std::to_string(kind.worse.size()) + " of " +
                        plural(all, "task") + ", most on " + cut_short(one_line(clean(worst.name)), 40) +
                        " (" + points(loss.value) + " points " + points_interval(loss.interval) + ").");
  }
  if (kind.left_out > 0 && counted > 0)
    sentences.push_back("Means over the " + plural(counted, "task") +
                        " that every model was scored on; left out: " + std::to_string(kind.left_out) + ".");
  return join(sentences, " ");
}

// "12.0 % → 71.0 %: gained 59.0 points [50.1, 66.2]; vanilla 69.0 %: gained …"
static std::string kind_line(const KindSummary& kind, const Roles& roles) {
  std::string text;
  if (kind.tasks.empty()) {
    text = "no task was scored for every model";
  } else if (known(kind.seed) && known(kind.tuned)) {
    text = percent(kind.seed) + " → " + percent(kind.tuned) + ", " + change_in_words(kind.tuned_to_seed);
  } else if (known(kind.tuned)) {
    text = roles.tuned + " " + percent(kind.tuned);
  } else {
    text = "seed " + percent(kind.seed);
  }
  if (known(kind.vanilla)) {
    text += "; vanilla " + percent(kind.vanilla);
    if (known(kind.seed)) text += ", " + change_in_words(kind.vanilla_to_seed);
  }
  std::string more = remarks(kind, roles);
  return text + (more.empty() ? "." : ". " + more);
}

static const KindSummary* find_kind(const std::vector<KindSummary>& kinds, const std::string& name) {
  for (const KindSummary& kind : kinds)
    if (name == kind.kind.name && !kind.tasks.empty()) return &kind;
  return nullptr;
}

constexpr double kTellingLoss = 0.05;  // an interval that reaches below this is named even where it holds 0

// First sentence of the headline: the tuned model against the seed.
static std::string against_seed(const KindSummary* target, const KindSummary* retained) {
  Outcome learned = target ? target->tuned_to_seed.outcome() : Outcome::kUnknown;
  static const std::map<Outcome, std::string> kTarget = {
      {Outcome::kBetter, "Learned the target task"},
      {Outcome::kSame, "No measurable change on the target task"},
      {Outcome::kWorse, "Worse than the seed on the target task"},
      {Outcome::kUnknown, "Whether the target task was learned was not measured"}};
  std::string text = kTarget.at(learned);
  bool good = learned == Outcome::kBetter;
  bool unknown = !retained || retained->tuned_to_seed.outcome() == Outcome::kUnknown;
  if (unknown && learned == Outcome::kUnknown)
    return "Neither what was learned nor what was forgotten was measured.";
  if (unknown) return text + "; what happened to the retained skills was not measured.";
  double lost = retained->tuned_to_seed.value;
  if (retained->tuned_to_seed.outcome() == Outcome::kWorse)
    return text + (good ? ", but lost " : ", and lost ") + points_bare(lost) +
           " points of its retained skills.";
  if (!retained->worse.empty())
    return text + (good ? ", but measurably lost on " : ", and measurably lost on ") +
           std::to_string(retained->worse.size()) + " of " +
           plural(static_cast<int64_t>(retained->tasks.size() + retained->left_out), "retained skill") + ".";
  if (retained->tuned_to_seed.outcome() == Outcome::kBetter)
    return text + (good ? ", and gained " : "; gained ") + points_bare(lost) + " points on retained skills.";
  text +=
      good ? ", with no measurable loss of retained skills" : ", and no measurable loss of retained skills";
  double floor = retained->tuned_to_seed.interval.low;
  if (floor < -kTellingLoss) text += " (though up to " + points_bare(floor) + " points cannot be ruled out)";
  return text + ".";
}

// Second sentence: against vanilla fine-tuning, [target][retained], both in the order of Outcome.
static std::string against_vanilla(const KindSummary* target, const KindSummary* retained) {
  static const char* const kWords[4][4] = {
      {"It cannot be judged against vanilla fine-tuning.", "Vanilla fine-tuning forgets less.",
       "No measurable difference from vanilla fine-tuning in what was forgotten.",
       "It forgets less than vanilla fine-tuning."},
      {"Vanilla fine-tuning is better on the target.",
       "Vanilla fine-tuning is better on both: the target and what was retained.",
       "Vanilla fine-tuning is better on the target, with no measurable difference in what was forgotten.",
       "It forgets less than vanilla fine-tuning, which is better on the target."},
      {"No measurable difference from vanilla fine-tuning on the target.",
       "Vanilla fine-tuning forgets less, with no measurable difference on the target.",
       "No measurable difference from vanilla fine-tuning.",
       "It forgets less than vanilla fine-tuning, with no measurable difference on the target."},
      {"It is better than vanilla fine-tuning on the target.",
       "It is better than vanilla fine-tuning on the target, but forgets more.",
       "It is better than vanilla fine-tuning on the target, with no measurable difference in what was "
       "forgotten.",
       "It is better than vanilla fine-tuning on both: the target and what was retained."}};
  auto outcome = [](const KindSummary* kind) {
    return static_cast<int>(kind ? kind->tuned_to_vanilla.outcome() : Outcome::kUnknown);
  };
  return kWords[outcome(target)][outcome(retained)];
}

// What the second sentence rests on.
static std::string comparison_line(const std::vector<KindSummary>& kinds) {
  std::vector<std::string> parts;
  for (const KindSummary& kind : kinds) {
    const Comparison& gap = kind.tuned_to_vanilla;
    if (!known(gap.value)) continue;
    std::string size = points(gap.value) + " points";
    if (known(gap.interval)) size += " " + points_interval(gap.interval);
    bool same = gap.outcome() == Outcome::kSame;
    std::string title = kind.kind.title;
    if (!parts.empty()) title[0] = static_cast<char>(title[0] - 'A' + 'a');
    parts.push_back(title + ": " + (same ? "no measurable difference (" + size + ")" : size));
  }
  std::string text = join(parts, "; ");
  return text.empty() ? "not comparable." : text + ".";
}

Verdict find_verdict(const Document& document) {
  if (!document.evaluation || document.evaluation->tasks.empty() || document.evaluation->models.empty())
    return {"Nothing was evaluated, so nothing can be said about what was learned or forgotten.", {}, {}};
  const Evaluation& evaluation = *document.evaluation;
  Roles roles = find_roles(evaluation);
  std::vector<KindSummary> kinds = summarize(evaluation);
  Verdict verdict;
  for (const KindSummary& kind : kinds) verdict.kinds.push_back({kind.kind.title, kind_line(kind, roles)});
  if (roles.tuned.empty()) {
    verdict.headline = "Only the seed model was evaluated: there is nothing to compare it with.";
    return verdict;
  }
  if (std::all_of(kinds.begin(), kinds.end(), [](const KindSummary& kind) { return kind.tasks.empty(); })) {
    verdict.headline =
        "No task was scored for every model, so nothing can be said about what was learned or forgotten.";
    return verdict;
  }
  const KindSummary* target = find_kind(kinds, "target");
  const KindSummary* retained = find_kind(kinds, "retained");
  if (roles.seed.empty())
    verdict.headline = "The seed was not evaluated, so what was learned or forgotten cannot be told.";
  else
    verdict.headline = against_seed(target, retained);
  const KindSummary* safety = find_kind(kinds, "safety");
  if (safety && safety->tuned_to_seed.outcome() == Outcome::kWorse)
    verdict.headline += " Safety fell by " + points_bare(safety->tuned_to_seed.value) + " points.";
  if (!roles.vanilla.empty()) {
    verdict.headline += " " + against_vanilla(target, retained);
    verdict.conclusion.push_back({"Against vanilla", comparison_line(kinds)});
  } else if (roles.tuned == "vanilla") {
    verdict.conclusion.push_back(
        {"Method", "This is vanilla fine-tuning itself; self-distillation was not run."});
  } else {
    verdict.conclusion.push_back({"Against vanilla",
                                  "There is no vanilla run, so what the method itself is worth "
                                  "cannot be told (baseline: true adds one)."});
  }
  return verdict;
}

}  // namespace sdft::report
