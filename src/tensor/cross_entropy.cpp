// The loss of a language model's head, chunk by chunk: logits of a chunk of rows are made, turned into the
// loss and the gradient at once, and thrown away.
#include "tensor/few_bits.h"

namespace sdft::ops {

Tensor softcap(const Tensor& x, double cap) { return cap > 0 ? at::tanh(x / cap) * cap : x; }

Tensor cross_entropy(Tensor& logits, const Tensor& targets, const Tensor& weights, bool gradient) {
  return find(kCrossEntropy, logits)(logits, targets, weights, gradient);
}

Tensor cross_entropy_kernels(Tensor& logits, const Tensor& targets, const Tensor& weights, bool gradient) {
  const int64_t rows = logits.size(0), width = logits.size(1);
  Tensor losses = at::empty({rows}, logits.options());
  at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
    kernels().cross_entropy(out(logits) + begin * width, targets.data_ptr<int64_t>() + begin,
                            weights.defined() ? in(weights) + begin : nullptr, end - begin, width, gradient,
                            out(losses) + begin);
  });
  return losses;
}

Tensor cross_entropy_aten(Tensor& logits, const Tensor& targets, const Tensor& weights, bool gradient) {
  Tensor log_probs = at::log_softmax(logits.to(at::kFloat), -1);
  Tensor losses = -log_probs.gather(1, targets.unsqueeze(1)).squeeze(1);
  if (gradient) {
    Tensor delta = log_probs.exp();
    delta.scatter_add_(1, targets.unsqueeze(1), at::full({logits.size(0), 1}, -1.0, delta.options()));
    logits = (delta * weights.unsqueeze(1)).to(logits.scalar_type());
  }
  return losses;
}

TokenScores score_tokens(const Tensor& logits, const Tensor& targets) {
  return find(kScoreTokens, logits)(logits, targets);
}

TokenScores score_tokens_kernels(const Tensor& logits, const Tensor& targets) {
  const int64_t count = logits.size(0), width = logits.size(1);
  TokenScores scores{at::empty({count}, at::kFloat), at::empty({count}, at::kLong)};
  at::parallel_for(0, count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = out(logits) + i * width;
      int32_t likeliest = 0;
      kernels().find_at_least(row, width, kernels().maximum(row, width), 1, &likeliest);
      float loss;
      kernels().cross_entropy(row, targets.data_ptr<int64_t>() + i, nullptr, 1, width, false, &loss);
      out(scores.log_probs)[i] = -loss;
      scores.likeliest.data_ptr<int64_t>()[i] = likeliest;
    }
  });
  return scores;
}

TokenScores score_tokens_aten(const Tensor& logits, const Tensor& targets) {
  const Tensor log_probs = at::log_softmax(logits.to(at::kFloat), -1);
  return {log_probs.gather(1, targets.to(logits.device()).unsqueeze(1)).squeeze(1).cpu(),
          log_probs.argmax(-1).cpu()};
}

namespace {
// Rows whose logits fit about 64 MiB.
int64_t chunk_rows(int64_t vocabulary) { return std::max<int64_t>(16, (int64_t{1} << 24) / vocabulary); }

struct LinearCrossEntropy : Function<LinearCrossEntropy> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, const Tensor& weight,
                        const Tensor& targets, const Tensor& weights, bool weight_too, double cap,
                        MatmulPrecision precision) {
    at::NoGradGuard no_grad;
    const int64_t rows = hidden.size(0), chunk = chunk_rows(weight.size(0));
    const Tensor back = for_gradient(weight);
    Tensor total = at::zeros({}, hidden.options().dtype(at::kFloat));
    Tensor dhidden = at::empty_like(hidden);
    Tensor dweight = weight_too ? at::zeros_like(weight) : Tensor();
    for (int64_t begin = 0; begin < rows; begin += chunk) {
      const int64_t count = std::min(chunk, rows - begin);
      Tensor h = hidden.narrow(0, begin, count), w = weights.narrow(0, begin, count);
      Tensor logits = softcap(product(h, false, weight, true, precision), cap);  // [n, V]
      const Tensor slope = cap > 0 ? 1 - (logits / cap).square() : Tensor();
      Tensor losses = cross_entropy(logits, targets.narrow(0, begin, count), w, true);
      if (slope.defined()) logits *= slope;
      total += (losses * w).sum();
      dhidden.narrow(0, begin, count).copy_(product(logits, false, back, false, precision));
      if (weight_too) dweight += product(logits, true, h, false, precision);
    }
    ctx->save_for_backward({dhidden, dweight});
    return total;
  }
  static Grads backward(AutogradContext* ctx, Grads grads) {
    auto saved = ctx->get_saved_variables();
    Tensor dweight = saved[1].defined() ? saved[1] * grads[0] : Tensor();
    return {saved[0] * grads[0].to(saved[0].scalar_type()),
            dweight,
            Tensor(),
            Tensor(),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};
}  // namespace

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets,
                            const Tensor& weights, double cap, MatmulPrecision precision) {
  if (wants_gradient({hidden, weight}))
    return LinearCrossEntropy::apply(hidden.contiguous(), widened_for(hidden, weight, precision), targets,
                                     weights, weight.requires_grad(), cap, precision);
  return -(token_log_probs(hidden, weight, targets, cap, precision) * weights).sum();
}

Tensor token_log_probs(const Tensor& hidden, const Tensor& weight, const Tensor& targets, double cap,
                       MatmulPrecision precision) {
  at::NoGradGuard no_grad;
  const int64_t rows = hidden.size(0), chunk = chunk_rows(weight.size(0));
  const Tensor factor = widened_for(hidden, weight, precision);
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    Tensor logits = softcap(product(hidden.narrow(0, begin, count), false, factor, true, precision), cap);
    parts.push_back(-cross_entropy(logits, targets.narrow(0, begin, count), Tensor(), false));
  }
  return parts.empty() ? at::empty({0}, hidden.options().dtype(at::kFloat)) : at::cat(parts);
}

}  // namespace sdft::ops
