// The seed's own judgement of a rewrite: a question that it answers with yes or no.
#pragma once

#include <string_view>
#include <vector>

#include "data/prompt.h"
#include "model/model.h"

namespace sdft {

struct JudgedRewrite {
  const Example* example;    // the question and the reference answer; not owned
  std::string_view rewrite;  // not owned
};

// P(yes) / (P(yes) + P(no)) that the rewrite says what the reference answer says, each in both spellings of
// its first letter; 0 where the question does not fit the model's context. `chat`: asked through the model's
// chat template, else in the form of the template alpaca.
std::vector<double> probability_of_yes(ModelView model, const Formatter& formatter, bool chat,
                                       const std::vector<JudgedRewrite>& rewrites);

}  // namespace sdft
