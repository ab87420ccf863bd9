#include "report/summary.h"

#include <algorithm>

#include "report/format.h"

namespace sdft::report {

std::string rewrites_file(const Distillation& d) {
  return (d.name.empty() ? std::string("distill") : d.name) + "/distilled.jsonl";
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

}  // namespace sdft::report
