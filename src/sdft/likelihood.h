// How likely answers are to a model.
#pragma once

#include <atomic>
#include <vector>

#include "data/prompt.h"
#include "infer/scorer.h"

namespace sdft {

struct AnswerLikelihood {
  double log_prob = 0;  // natural logarithm, summed over the answer's tokens and its end of turn
  int64_t tokens = 0;   // 0 where prompt and answer are longer than the model's context
  double per_token() const { return log_prob / static_cast<double>(tokens); }  // NaN without tokens
};

// Of each example's last answer, given all before it under the training prompt. Error(kInterrupted) soon
// after *stop is true.
std::vector<AnswerLikelihood> likelihoods(ModelView model, const Formatter& formatter,
                                          const PromptTemplate& prompt, const std::vector<Example>& examples,
                                          const std::atomic<bool>* stop = nullptr);

}  // namespace sdft
