#include "report/expectation.h"

#include <algorithm>

#include "report/format.h"

namespace sdft::report {
namespace {

Indicator indicator(const char* name, const std::string& value, const std::string& threshold, bool measured,
                    bool warns) {
  const Foretold foretold = !measured ? Foretold::kNothing : warns ? Foretold::kAsMuch : Foretold::kLess;
  return {name, measured ? value : kDash, threshold, foretold};
}

double share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : kMissing;
}

std::vector<Indicator> indicators_of(const Distillation& d) {
  const double accepted = share(d.accepted, d.examples), unchanged = share(d.unchanged, d.accepted);
  const double gap = d.logprob_rewrite - d.logprob_original;
  const std::string sign = gap > 0 ? "+" : "";
  return {indicator("share accepted", percent(accepted), "warns below " + percent(kFewAccepted),
                    known(accepted), accepted < kFewAccepted),
          indicator("share unchanged", percent(unchanged), "warns above " + percent(kManyUnchanged),
                    known(unchanged), unchanged > kManyUnchanged),
          indicator("gap originals → rewrites", sign + decimal(gap, 2),
                    "warns unless above " + decimal(kNoGap, 0), known(gap), gap <= kNoGap)};
}

// What came out, in terms of what may be foretold; nothing where it cannot be told.
struct Came {
  Foretold out = Foretold::kNothing;
  std::string words;
};

Came what_came(const Comparison& change, const Comparison& baseline_to_seed) {
  if (!known(change.value))
    return {Foretold::kNothing, "no task of this kind was scored for all three models"};
  const std::string size = points(change.value) + " points " + points_interval(change.interval);
  if (baseline_to_seed.outcome() == Outcome::kUnknown || change.outcome() == Outcome::kUnknown)
    return {Foretold::kNothing, size + ", not tested"};
  if (baseline_to_seed.outcome() != Outcome::kWorse)
    return {Foretold::kNothing,
            size + "; but the baseline did not measurably forget, so there was nothing to prevent"};
  const double lost = -baseline_to_seed.value;
  const std::string of = " of the " + points_bare(lost) + " points that the baseline lost";
  switch (change.outcome()) {
    case Outcome::kBetter:
      return {Foretold::kLess, size + ": it forgot less, and kept " + points_bare(change.value) + of};
    case Outcome::kWorse:
      return {Foretold::kAsMuch, size + ": it forgot more than the baseline"};
    default:
      break;
  }
  if (change.interval.high < lost / 2)
    return {Foretold::kAsMuch, size + ": it forgot about as much, and kept less than half" + of};
  return {Foretold::kNothing, size + ": no measurable difference, and too wide an interval to call it none"};
}

Outturn outturn_of(const Document& document, const std::string& variant,
                   const std::vector<Indicator>& indicators) {
  Outturn outturn{variant, {}, "", std::vector<Judgement>(indicators.size(), Judgement::kCannotTell)};
  const Evaluation& evaluation = *document.evaluation;
  const auto has = [&](const std::string& model) {
    return std::find(evaluation.models.begin(), evaluation.models.end(), model) != evaluation.models.end();
  };
  if (document.baseline.empty() || !has(document.baseline) || !has("seed")) {
    outturn.words = has("seed") ? "there is no baseline to hold it against" : "the seed was not evaluated";
    return outturn;
  }
  const Roles roles{"seed", document.baseline, variant};
  const std::vector<const Task*> tasks = forgettable(evaluation, roles);
  outturn.change = mean_comparison(evaluation, tasks, variant, document.baseline);
  const Came came = what_came(outturn.change, mean_comparison(evaluation, tasks, document.baseline, "seed"));
  outturn.words = came.words;
  for (size_t i = 0; i < indicators.size(); ++i)
    if (came.out != Foretold::kNothing && indicators[i].foretold != Foretold::kNothing)
      outturn.judgements[i] = came.out == indicators[i].foretold ? Judgement::kRight : Judgement::kWrong;
  return outturn;
}

// Those that learn from it; where the document does not say, all but the seed and the baseline do, from the
// first.
std::vector<std::string> learners(const Document& document, size_t index) {
  const Distillation& d = document.distillations[index];
  std::vector<std::string> variants;
  for (const std::string& model : document.evaluation->models) {
    if (model == "seed" || model == document.baseline) continue;
    const bool named = std::find(d.variants.begin(), d.variants.end(), model) != d.variants.end();
    if (d.variants.empty() ? index == 0 : named) variants.push_back(model);
  }
  return variants;
}

}  // namespace

std::vector<Expectation> find_expectations(const Document& document) {
  std::vector<Expectation> all;
  for (size_t i = 0; i < document.distillations.size(); ++i) {
    const Distillation& d = document.distillations[i];
    if (d.examples == 0) continue;
    Expectation one{d.name, indicators_of(d), {}};
    if (document.evaluation)
      for (const std::string& variant : learners(document, i))
        one.outturns.push_back(outturn_of(document, variant, one.indicators));
    all.push_back(std::move(one));
  }
  return all;
}

const char* in_words(Foretold foretold) {
  switch (foretold) {
    case Foretold::kAsMuch:
      return "about as much forgetting as the baseline";
    case Foretold::kLess:
      return "less forgetting than the baseline";
    case Foretold::kNothing:
      break;
  }
  return "nothing: it was not measured";
}

const char* in_words(Judgement judgement) {
  switch (judgement) {
    case Judgement::kRight:
      return "right";
    case Judgement::kWrong:
      return "wrong";
    case Judgement::kCannotTell:
      break;
  }
  return "cannot be told";
}

std::vector<std::string> in_lines(const Expectation& expectation) {
  std::vector<std::string> lines;
  for (Foretold foretold : {Foretold::kLess, Foretold::kAsMuch}) {
    std::vector<std::string> names, parts;
    size_t last = 0;
    for (size_t i = 0; i < expectation.indicators.size(); ++i) {
      if (expectation.indicators[i].foretold != foretold) continue;
      names.push_back(expectation.indicators[i].name + " " + expectation.indicators[i].value);
      last = i;  // what foretold the same was right or wrong together
    }
    if (names.empty()) continue;
    for (Judgement judgement : {Judgement::kRight, Judgement::kWrong, Judgement::kCannotTell}) {
      std::vector<std::string> variants;
      for (const Outturn& outturn : expectation.outturns)
        if (outturn.judgements[last] == judgement)
          variants.push_back(cut_short(one_line(clean(outturn.variant)), 24));
      if (!variants.empty())
        parts.push_back(std::string(in_words(judgement)) + " for " + join(variants, ", "));
    }
    lines.push_back(std::string(in_words(foretold)) + " (" + join(names, ", ") + ")" +
                    (parts.empty() ? "" : ": " + join(parts, "; ")));
  }
  return lines;
}

}  // namespace sdft::report
