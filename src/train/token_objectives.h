// Losses of single tokens, of the student's log-probabilities [n, V] and targets [n] -> [n]; any
// floating-point type. p: the student's probabilities, y: the target, s[.]: no gradient goes through it.
#pragma once

#include "tensor/torch_compat.h"

namespace sdft::token_loss {
using at::Tensor;

// -log p(y)
Tensor cross_entropy(const Tensor& log_probs, const Tensor& targets);
// Entropy of the k likeliest tokens, made to sum to 1, / log k: 0 (sure) to 1.
Tensor topk_entropy(const Tensor& log_probs, int64_t k);

// s[p(y)] * -log p(y): dynamic fine-tuning (arXiv 2508.05629, equation 9).
Tensor dft(const Tensor& log_probs, const Tensor& targets);
// s[H(p)] * -log p(y), H: topk_entropy: where the model is sure of something else, little is learned
// (entropy-adaptive fine-tuning, arXiv 2601.02151).
Tensor eaft(const Tensor& log_probs, const Tensor& targets, int64_t k);

// -min(r, 1 + clip), r = p(y) / before(y): PPO's clipped ratio with an advantage of 1, so that a token whose
// probability has grown enough since `before` is left alone (proximal fine-tuning, arXiv 2508.17784).
Tensor proximal(const Tensor& log_probs, const Tensor& before, const Tensor& targets, double clip);

}  // namespace sdft::token_loss
