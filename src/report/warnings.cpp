// Warnings that the numbers themselves call for.
#include <algorithm>
#include <cmath>

#include "report/expectation.h"
#include "report/format.h"
#include "report/verdict.h"
#include "report/watch.h"

namespace sdft::report {
namespace {

constexpr double kManyCut = 0.05;      // of the examples, by the token limit
constexpr double kWideInterval = 0.1;  // half of the interval's width
constexpr size_t kNamedItems = 5;

std::string quoted(const std::string& name) { return "“" + cut_short(one_line(clean(name)), 60) + "”"; }

// "a, b, c and 4 more".
std::string named(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kNamedItems); ++i) shown.push_back(quoted(names[i]));
  std::string text = join(shown, ", ");
  if (names.size() > kNamedItems)
    text += " and " + grouped(static_cast<int64_t>(names.size() - kNamedItems)) + " more";
  return text;
}

void warn_distillation(const Distillation& distillation, std::vector<std::string>& out) {
  int64_t rejected = 0, cut_off = 0;
  for (const Count& rejection : distillation.rejected) {
    rejected += rejection.count;
    if (rejection.reason == "cut_by_token_limit") cut_off += rejection.count;
  }
  int64_t too_long = static_cast<int64_t>(distillation.too_long.size());
  int64_t missing = distillation.examples - distillation.accepted - rejected - too_long;
  double examples = static_cast<double>(std::max<int64_t>(distillation.examples, 1));
  if (missing != 0)
    out.push_back("The examples do not add up: " + grouped(distillation.accepted) + " accepted, " +
                  grouped(rejected) + " rejected and " + grouped(too_long) + " too long make " +
                  grouped(distillation.examples - missing) + ", not " + grouped(distillation.examples) + ".");
  if (distillation.examples > 0 && distillation.accepted / examples < kFewAccepted)
    out.push_back("Only " + percent(distillation.accepted / examples) + " of the rewrites were accepted (" +
                  grouped(distillation.accepted) + " of " + grouped(distillation.examples) +
                  "); the other examples keep their original answers, as in plain fine-tuning.");
  if (distillation.accepted > 0 &&
      static_cast<double>(distillation.unchanged) / static_cast<double>(distillation.accepted) >
          kManyUnchanged)
    out.push_back("Most accepted rewrites are equal to their originals (" + grouped(distillation.unchanged) +
                  " of " + grouped(distillation.accepted) +
                  "), so what is learned is nearly what plain fine-tuning learns.");
  if (cut_off / examples > kManyCut)
    out.push_back(percent(cut_off / examples) + " of the rewrites (" + grouped(cut_off) +
                  ") were cut off by the token limit; a higher max_new_tokens would let them end.");
  if (too_long > 0)
    out.push_back(
        plural(too_long, "prompt") + (too_long == 1 ? " was" : " were") +
        " too long to be rewritten, and the original answer was kept: " + named(distillation.too_long) + ".");
  if (distillation.logprob_rewrite - distillation.logprob_original <= kNoGap)  // false where either is NaN
    out.push_back("The rewrites are no nearer to the seed than the originals (log-probability per token " +
                  decimal(distillation.logprob_rewrite, 2) + " against " +
                  decimal(distillation.logprob_original, 2) +
                  "), so they cannot be expected to prevent forgetting.");
}

void warn_training(const std::vector<Curve>& curves, std::vector<std::string>& out) {
  for (const Curve& curve : curves) {
    auto bad = std::count_if(curve.loss.begin(), curve.loss.end(), [](double loss) { return !known(loss); });
    if (bad > 0)
      out.push_back("The training of " + quoted(curve.variant) + " has " + plural(bad, "step") +
                    " without a finite loss.");
  }
}

// What is in no score, and answers that ended early: of all models in one sentence.
void warn_incomplete(const Task& task, std::vector<std::string>& out) {
  std::vector<std::string> missing, cut;
  for (const Score& score : task.scores) {
    const std::string model = cut_short(one_line(clean(score.model)), 40);
    int64_t unanswered = 0;
    for (const Count& one : score.unanswered) unanswered += one.count;
    if (unanswered > 0) missing.push_back(model + " " + grouped(unanswered));
    if (score.n > 0 && static_cast<double>(score.cut) / static_cast<double>(score.n) > kManyCut)
      cut.push_back(model + " " + grouped(score.cut));
  }
  if (!missing.empty())
    out.push_back("Prompts of " + quoted(task.name) + " were not answered (" + join(missing, ", ") +
                  "); scores are over the others.");
  if (!cut.empty())
    out.push_back("Answers to " + quoted(task.name) + " were cut at a limit (" + join(cut, ", ") +
                  "); they are judged as they are.");
}

void warn_evaluation(const Evaluation& evaluation, std::vector<std::string>& out) {
  std::vector<std::string> wide;
  double widest = 0;
  for (const Task& task : evaluation.tasks) {
    if (task.kind == "target" && score_value(task, "seed") == 0)
      out.push_back("The seed scores 0.0 % on the target task " + quoted(task.name) +
                    ": it cannot do the task yet without the reference answers.");
    warn_incomplete(task, out);
    int64_t least = -1, most = -1;
    double half = 0;
    for (const Score& score : task.scores) {
      if (!known(score.value)) continue;
      int64_t asked = score.n;
      for (const Count& one : score.unanswered) asked += one.count;
      least = least < 0 ? asked : std::min(least, asked);
      most = std::max(most, asked);
      if (known(score.interval)) half = std::max(half, (score.interval.high - score.interval.low) / 2);
    }
    if (least != most)
      out.push_back("The models were scored on different numbers of examples of " + quoted(task.name) + ": " +
                    grouped(least) + " to " + grouped(most) + ".");
    if (half > kWideInterval) wide.push_back(task.name);
    widest = std::max(widest, half);
  }
  if (!wide.empty())
    out.push_back("Few examples make wide intervals (up to ±" + points_bare(widest) + " points) on " +
                  named(wide) + ": small differences cannot be seen there.");
}

}  // namespace

std::vector<std::string> find_warnings(const Document& document) {
  std::vector<std::string> out;
  for (const std::string& warning : document.warnings) out.push_back(one_line(clean(warning)));
  if (!document.distillations.empty()) warn_distillation(document.distillations.front(), out);
  warn_training(document.training, out);
  for (std::string& fault : faults_in_words(document.watches)) out.push_back(std::move(fault));
  if (document.evaluation) warn_evaluation(*document.evaluation, out);
  std::vector<std::string> once;
  for (std::string& warning : out)
    if (std::find(once.begin(), once.end(), warning) == once.end()) once.push_back(std::move(warning));
  return once;
}

}  // namespace sdft::report
