#include "report/summary.h"

#include <algorithm>

#include "report/format.h"

namespace sdft::report {

std::string rewrites_file(const Distillation& d) {
  return (d.name.empty() ? std::string("distill") : d.name) + "/distilled.jsonl";
}

std::string measured_part(const Distillation& d) {
  return d.measured > 0 && d.measured < d.accepted ? ", of " + grouped(d.measured) + " of the accepted" : "";
}

int64_t tokens_of(const Distillation& d) {
  int64_t tokens = 0;
  for (const Round& round : d.rounds) tokens += round.tokens;
  return tokens;
}

std::string round_in_words(const Round& round) {
  if (round.name == "own") return "own answer";
  const bool number = !round.name.empty() && round.name.find_first_not_of("0123456789") == std::string::npos;
  return number ? "candidate " + round.name : round.name;
}

std::string small_percent(double fraction) {
  return known(fraction) ? significant(100 * fraction, 2) + "\u00A0%" : kDash;
}

std::string best_validation(const Curve& curve) {
  size_t best = curve.validation_loss.size();
  for (size_t i = 0; i < curve.validation_loss.size(); ++i)
    if (known(curve.validation_loss[i]) &&
        (best == curve.validation_loss.size() || curve.validation_loss[i] < curve.validation_loss[best]))
      best = i;
  if (best == curve.validation_loss.size()) return kDash;
  return decimal(curve.validation_loss[best], 3) + " at step " + grouped(curve.step[best]);
}

VariantFacts facts_of(const Document& document, const std::string& variant) {
  VariantFacts facts{kDash, kDash, kDash, kDash};
  for (const Curve& curve : document.training) {
    if (curve.variant != variant) continue;
    const auto finite = [](double loss) { return known(loss); };
    const auto first = std::find_if(curve.loss.begin(), curve.loss.end(), finite);
    const auto last = std::find_if(curve.loss.rbegin(), curve.loss.rend(), finite);
    if (!curve.step.empty()) facts.steps = grouped(curve.step.back());
    if (first != curve.loss.end()) facts.loss = decimal(*first, 3) + " → " + decimal(*last, 3);
    facts.validation = best_validation(curve);
  }
  for (const Shift& shift : document.shifts)
    if (shift.variant == variant) facts.shift = small_percent(shift.total);
  return facts;
}

// --- Tests ---

namespace {

std::vector<const Task*> in_order(const Evaluation& evaluation) {
  std::vector<const Task*> tasks;
  for (const Kind& kind : kKinds)
    for (const Task& task : evaluation.tasks)
      if (task.kind == kind.name) tasks.push_back(&task);
  return tasks;
}

// "3: prompt too long 2, endpoint failed 1"; of one reason "3, prompt too long".
std::string reasons_in_words(const std::vector<Count>& counts) {
  std::vector<std::string> parts;
  int64_t all = 0;
  for (const Count& one : counts) {
    std::string reason = one_line(clean(one.reason));
    std::replace(reason.begin(), reason.end(), '_', ' ');
    all += one.count;
    parts.push_back(counts.size() == 1 ? reason : reason + " " + grouped(one.count));
  }
  return parts.empty() ? kDash : grouped(all) + (parts.size() == 1 ? ", " : ": ") + join(parts, ", ");
}

}  // namespace

const char* const kTestsNote =
    "Paired over the examples that both answered: of right and wrong answers McNemar's exact test with "
    "Tango's "
    "interval, of graded ones the sign-flip permutation test. Holm: p corrected for all comparisons of this "
    "table; below 0.05 the difference is called measurable. Seen from: the smallest difference, in points, "
    "that "
    "the test alone would find with a chance of 80 % at this n and with as much change between the two "
    "models "
    "as there is; – where there are too few examples for any.";

const char* const kIncompleteNote =
    "What was not answered is in no score. A cut answer ended at a limit and is judged as it is.";

std::vector<TestFacts> tests_of(const Evaluation& evaluation) {
  std::vector<TestFacts> all;
  for (const Task* task : in_order(evaluation))
    for (const Score& score : task->scores)
      for (const Difference& d : score.differences) {
        if (!known(d.p_value)) continue;
        const std::string interval = points_interval(d.interval);
        all.push_back({task, score.model, d.against, grouped(d.n),
                       points(d.value) + (interval.empty() ? "" : " " + interval), p_text(d.p_value),
                       p_text(d.p_adjusted), known(d.detectable) ? points_bare(d.detectable) : kDash,
                       compare(*task, score.model, d.against).outcome()});
      }
  return all;
}

std::vector<AnswerFacts> incomplete_answers(const Evaluation& evaluation) {
  std::vector<AnswerFacts> all;
  for (const Task* task : in_order(evaluation))
    for (const Score& score : task->scores)
      if (!score.unanswered.empty() || score.cut > 0)
        all.push_back({task, score.model, grouped(score.n), reasons_in_words(score.unanswered),
                       score.cut > 0 ? grouped(score.cut) : kDash});
  return all;
}

}  // namespace sdft::report
