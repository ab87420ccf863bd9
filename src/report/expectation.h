// Was it to be expected? What was known before the training, what that foretold, and whether it came true:
// the question is whether a variant that learns rewrites forgets less than the baseline, which learns the
// originals.
#pragma once

#include <string>
#include <vector>

#include "report/verdict.h"

namespace sdft::report {

// Where an indicator lies beyond these, a warning is shown and the variant is expected to forget about as
// much as the baseline.
inline constexpr double kFewAccepted = 0.5;    // fewer of the examples were accepted
inline constexpr double kManyUnchanged = 0.5;  // more of the accepted rewrites equal their originals
inline constexpr double kNoGap = 0;  // the rewrites are no likelier under the seed, log-probability a token

enum class Foretold { kNothing, kAsMuch, kLess };  // forgetting, against the baseline
enum class Judgement { kCannotTell, kRight, kWrong };

struct Indicator {
  std::string name;                        // "share accepted"
  std::string value;                       // "80.0 %"
  std::string threshold;                   // "warns below 50 %"
  Foretold foretold = Foretold::kNothing;  // nothing where it was not measured
};

// What came out of one variant.
struct Outturn {
  std::string variant;
  Comparison change;  // mean over retained and safety tasks, the variant's minus the baseline's
  std::string words;  // the same in words, and why nothing can be told
  std::vector<Judgement> judgements;  // one an indicator
};

// Of one distillation.
struct Expectation {
  std::string distillation;
  std::vector<Indicator> indicators;
  std::vector<Outturn> outturns;  // one a variant that learns from it and was evaluated
};

// Of every distillation, from the document alone. "Less" came true where the variant is measurably above the
// baseline; "as much" where it keeps, with 95 % confidence, less than half of what the baseline measurably
// lost. All else cannot be told.
std::vector<Expectation> find_expectations(const Document& document);

const char* in_words(Foretold foretold);    // "less forgetting than the baseline"
const char* in_words(Judgement judgement);  // "right", "wrong", "cannot be told"
// For a terminal: "less forgetting than the baseline (share accepted 80.0 %): right for ours; wrong for
// other".
std::vector<std::string> in_lines(const Expectation& expectation);

}  // namespace sdft::report
