// Choosing the next token from logits, as Transformers' warpers do it: repetition penalty, temperature, then
// top_k, then top_p.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace sdft {

struct SamplingOptions {
  double temperature = 1.0;  // 0: greedy, the likeliest token (the first of equals)
  int64_t top_k = 0;         // only the k likeliest (and those equal to the k-th); 0: all
  double top_p = 1.0;        // only the likeliest tokens whose probabilities sum to top_p; 1: all
  // Logits of tokens that the prompt or the answer has are divided by this where positive, else multiplied
  // (Keskar et al. 2019, CTRL); 1: off. Also where greedy.
  double repetition_penalty = 1.0;
  bool greedy() const { return temperature == 0; }
};

// What makes no sense, each value with its name.
std::vector<std::string> problems_of(const SamplingOptions& options);

// Applies the penalty; `seen`: the tokens so far, any of them any number of times.
void penalize_repetition(float* logits, int64_t vocabulary, const std::vector<int32_t>& seen, double penalty);

// Token and its probability, likeliest first (equals: the smaller id first); probabilities sum to 1.
using Distribution = std::vector<std::pair<int32_t, double>>;
// What sample_token() draws from. Greedy: the one token with probability 1.
Distribution sampling_distribution(const float* logits, int64_t vocabulary, const SamplingOptions& options);

// What a model's own distribution, before temperature and all else that changes it, says of a token.
struct TokenScore {
  int32_t token = 0;
  float log_prob = 0;
  std::vector<std::pair<int32_t, float>> top = {};  // the likeliest, with theirs
};
TokenScore score_token(const float* logits, int64_t vocabulary, int32_t token, int64_t top);

// One draw; uses exactly one number of `random`, and none where greedy.
int32_t sample_token(const float* logits, int64_t vocabulary, const SamplingOptions& options, Random& random);

}  // namespace sdft
