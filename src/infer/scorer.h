// Log-likelihoods of given sequences.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "infer/sampler.h"
#include "model/model.h"

namespace sdft {

// The fields of a Sample: which tokens count, each given all tokens before it. The first token has none
// before it and cannot count.
struct ScoreItem {
  std::vector<int32_t> ids;
  std::vector<uint8_t> supervised;  // as long as ids
};
// All of `continuation` counts, nothing of `context` (which must not be empty).
ScoreItem continuation_item(const std::vector<int32_t>& context, const std::vector<int32_t>& continuation);

struct Score {
  double log_prob = 0;  // natural logarithm, summed over the tokens that count
  int64_t count = 0;
  bool greedy = true;                  // each token that counts is the likeliest one
  std::vector<float> token_log_probs;  // of the tokens that count, in order; only with per_token
};

struct ScoreOptions {
  int64_t batch_tokens = 0;  // tokens of a forward pass; 0: chosen
  bool per_token = false;
  const std::atomic<bool>* stop = nullptr;  // looked at before each pass: Error(kInterrupted) once it is true
  std::function<void(size_t done)> on_step;
};

// Of each token but the first, given all before it: [ids - 1]. Errors as below.
std::vector<TokenScore> token_scores(ModelView model, const std::vector<int32_t>& ids, int64_t top);

// In the order of the items. Throws Error(kInput) naming the item: longer than the model's context, an id
// outside the vocabulary, a mask of another length, a first token that counts.
std::vector<Score> score(ModelView model, const std::vector<ScoreItem>& items,
                         const ScoreOptions& options = {});

}  // namespace sdft
