#include "report/verdict.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "report/format.h"

namespace sdft::report {

Roles find_roles(const Document& document) {
  Roles roles;
  if (!document.evaluation) return roles;
  for (const std::string& model : document.evaluation->models) {
    if (model == "seed")
      roles.seed = model;
    else if (model == document.baseline)
      roles.baseline = model;
    else if (roles.tuned.empty())
      roles.tuned = model;
  }
  if (roles.tuned.empty()) std::swap(roles.tuned, roles.baseline);
  return roles;
}

std::vector<const Task*> forgettable(const Evaluation& evaluation, const Roles& roles) {
  std::vector<const Task*> tasks;
  for (const Task& task : evaluation.tasks)
    if ((task.kind == "retained" || task.kind == "safety") && known(score_value(task, roles.seed)) &&
        known(score_value(task, roles.baseline)) && known(score_value(task, roles.tuned)))
      tasks.push_back(&task);
  return tasks;
}

static double mean_value(const std::vector<const Task*>& tasks, const std::string& model) {
  double sum = 0;
  for (const Task* task : tasks) sum += score_value(*task, model);
  return tasks.empty() ? kMissing : sum / tasks.size();
}

static KindSummary summarize(const Evaluation& evaluation, const Kind& kind, const Roles& roles) {
  KindSummary summary;
  summary.kind = kind;
  std::vector<const Task*> all;
  for (const Task& task : evaluation.tasks)
    if (task.kind == kind.name && (!kind.one_metric || all.empty() || task.metric == all.front()->metric))
      all.push_back(&task);
  auto has = [](const Task* task, const std::string& model) { return known(score_value(*task, model)); };
  std::vector<std::string> scored;
  for (const std::string& role : {roles.seed, roles.baseline, roles.tuned})
    if (std::any_of(all.begin(), all.end(), [&](const Task* task) { return has(task, role); }))
      scored.push_back(role);
  for (const Task* task : all)
    if (!scored.empty() &&
        std::all_of(scored.begin(), scored.end(), [&](const std::string& model) { return has(task, model); }))
      summary.tasks.push_back(task);
  summary.left_out = all.size() - summary.tasks.size();
  summary.seed = mean_value(summary.tasks, roles.seed);
  summary.baseline = mean_value(summary.tasks, roles.baseline);
  summary.tuned = mean_value(summary.tasks, roles.tuned);
  summary.tuned_to_seed = mean_comparison(evaluation, summary.tasks, roles.tuned, roles.seed);
  summary.baseline_to_seed = mean_comparison(evaluation, summary.tasks, roles.baseline, roles.seed);
  summary.tuned_to_baseline = mean_comparison(evaluation, summary.tasks, roles.tuned, roles.baseline);
  for (const Task* task : all)
    if (compare(*task, roles.tuned, roles.seed).outcome() == Outcome::kWorse) summary.worse.push_back(task);
  std::stable_sort(summary.worse.begin(), summary.worse.end(), [&](const Task* a, const Task* b) {
    return compare(*a, roles.tuned, roles.seed).value < compare(*b, roles.tuned, roles.seed).value;
  });
  return summary;
}

std::vector<KindSummary> summarize(const Evaluation& evaluation, const Roles& roles) {
  std::vector<KindSummary> summaries;
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
  return points(change.value) + " points, not tested";
}

static std::string shown_name(const std::string& model) { return cut_short(one_line(clean(model)), 40); }

// Where no change was found: how large one could well have been missed.
static std::string could_be_missed(const KindSummary& kind, const Roles& roles) {
  if (kind.tuned_to_seed.outcome() != Outcome::kSame) return "";
  double least = kMissing, most = kMissing;
  for (const Task* task : kind.tasks)
    if (const Difference* d = find_difference(*task, roles.tuned, roles.seed); d && known(d->detectable)) {
      least = std::fmin(least, d->detectable);
      most = std::fmax(most, d->detectable);
    }
  if (!known(least)) return "";
  if (kind.tasks.size() == 1)
    return "A change under " + points_bare(least) + " points could well have been missed (n = " +
           grouped(find_difference(*kind.tasks.front(), roles.tuned, roles.seed)->n) + ").";
  const std::string low = points_bare(least), high = points_bare(most);
  return "On a single task a change under " + (low == high ? low : low + " to " + high) +
         " points could well have been missed.";
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
  if (const std::string missed = could_be_missed(kind, roles); !missed.empty()) sentences.push_back(missed);
  if (kind.left_out > 0 && counted > 0)
    sentences.push_back("Means over the " + plural(counted, "task") +
                        " that every model was scored on; left out: " + std::to_string(kind.left_out) + ".");
  return join(sentences, " ");
}

// "12.0 % → 71.0 %: gained 59.0 points [50.1, 66.2]; BASELINE 69.0 %: gained …"
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
  if (known(kind.baseline)) {
    text += "; " + shown_name(roles.baseline) + " " + percent(kind.baseline);
    if (known(kind.seed)) text += ", " + change_in_words(kind.baseline_to_seed);
  }
  std::string more = remarks(kind, roles);
  return text + (more.empty() ? "." : ". " + more);
}

static const KindSummary* find_kind(const std::vector<KindSummary>& kinds, const std::string& name) {
  for (const KindSummary& kind : kinds)
    if (name == kind.kind.name && !kind.tasks.empty()) return &kind;
  return nullptr;
}

constexpr double kTellingLoss = 0.05;  // an interval that reaches below this is named even without a finding

// First sentence of the headline: the tuned model against the seed.
static std::string against_seed(const KindSummary* target, const KindSummary* retained) {
  Outcome learned = target ? target->tuned_to_seed.outcome() : Outcome::kUnknown;
  static const std::map<Outcome, std::string> kTarget = {
      {Outcome::kBetter, "Learned the target task"},
      {Outcome::kSame, "No measurable change on the target task"},
      {Outcome::kWorse, "Worse than the seed on the target task"},
      {Outcome::kUnknown, "Whether the target task was learned was not tested"}};
  std::string text = kTarget.at(learned);
  bool good = learned == Outcome::kBetter;
  bool unknown = !retained || retained->tuned_to_seed.outcome() == Outcome::kUnknown;
  if (unknown && learned == Outcome::kUnknown)
    return "Neither what was learned nor what was forgotten was tested against the seed.";
  if (unknown) return text + "; what happened to the retained skills was not tested.";
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

// "vanilla fine-tuning", as a sentence begins or goes on.
static std::string tuning_with(const std::string& baseline) { return shown_name(baseline) + " fine-tuning"; }
static std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// Second sentence: against the baseline, [target][retained], both in the order of Outcome. {}: the baseline.
static std::string against_baseline(const KindSummary* target, const KindSummary* retained,
                                    const std::string& baseline) {
  static const char* const kWords[4][4] = {
      {"It cannot be judged against {}.", "{} forgets less.",
       "No measurable difference from {} in what was forgotten.", "It forgets less than {}."},
      {"{} is better on the target.", "{} is better on both: the target and what was retained.",
       "{} is better on the target, with no measurable difference in what was forgotten.",
       "It forgets less than {}, which is better on the target."},
      {"No measurable difference from {} on the target.",
       "{} forgets less, with no measurable difference on the target.", "No measurable difference from {}.",
       "It forgets less than {}, with no measurable difference on the target."},
      {"It is better than {} on the target.", "It is better than {} on the target, but forgets more.",
       "It is better than {} on the target, with no measurable difference in what was forgotten.",
       "It is better than {} on both: the target and what was retained."}};
  auto outcome = [](const KindSummary* kind) {
    return static_cast<int>(kind ? kind->tuned_to_baseline.outcome() : Outcome::kUnknown);
  };
  std::string text = kWords[outcome(target)][outcome(retained)];
  const size_t place = text.find("{}");
  text.replace(place, 2, tuning_with(baseline));
  return capital(text);
}

// What the second sentence rests on.
static std::string comparison_line(const std::vector<KindSummary>& kinds) {
  std::vector<std::string> parts;
  for (const KindSummary& kind : kinds) {
    const Comparison& gap = kind.tuned_to_baseline;
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

// Of one tuned model against the seed and the baseline.
static std::string headline_of(const std::vector<KindSummary>& kinds, const Roles& roles) {
  const KindSummary* target = find_kind(kinds, "target");
  const KindSummary* retained = find_kind(kinds, "retained");
  std::string text = roles.seed.empty()
                         ? "The seed was not evaluated, so what was learned or forgotten cannot be told."
                         : against_seed(target, retained);
  const KindSummary* safety = find_kind(kinds, "safety");
  if (safety && safety->tuned_to_seed.outcome() == Outcome::kWorse)
    text += " Safety fell by " + points_bare(safety->tuned_to_seed.value) + " points.";
  if (!roles.baseline.empty()) text += " " + against_baseline(target, retained, roles.baseline);
  return text;
}

// The tuned model against the baseline, or why there is no such comparison.
static VerdictLine conclusion_of(const std::vector<KindSummary>& kinds, const Roles& roles,
                                 const std::string& baseline) {
  const std::string name = shown_name(baseline);
  const std::string label = "Against " + (name.empty() ? "a baseline" : name);
  if (!roles.baseline.empty()) return {label, comparison_line(kinds)};
  if (roles.tuned == baseline)
    return {"Method", "This is " + tuning_with(baseline) + " itself; no other variant was evaluated."};
  return {label, "There is no " + (name.empty() ? "baseline" : name) +
                     " run, so what the method itself is worth cannot be told (baseline: true adds one)."};
}

Verdict find_verdict(const Document& document) {
  if (!document.evaluation || document.evaluation->tasks.empty() || document.evaluation->models.empty())
    return {"Nothing was evaluated, so nothing can be said about what was learned or forgotten.", {}, {}};
  const Evaluation& evaluation = *document.evaluation;
  Roles roles = find_roles(document);
  std::vector<KindSummary> kinds = summarize(evaluation, roles);
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
  verdict.headline = headline_of(kinds, roles);
  verdict.conclusion.push_back(conclusion_of(kinds, roles, document.baseline));
  for (const std::string& other : evaluation.models) {
    if (other == roles.seed || other == roles.baseline || other == roles.tuned) continue;
    const Roles own = {roles.seed, roles.baseline, other};
    verdict.conclusion.push_back({shown_name(other), headline_of(summarize(evaluation, own), own)});
  }
  return verdict;
}

}  // namespace sdft::report
