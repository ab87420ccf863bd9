// The loss of a language model's head, chunk by chunk: logits of a chunk of rows are made, turned into the
// loss and the gradient at once, and thrown away.
#include <torch/csrc/autograd/custom_function.h>

#include "tensor/kernels.h"
#include "tensor/ops.h"

namespace sdft::ops {
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using Grads = torch::autograd::variable_list;

namespace {
bool fast(const Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

// Rows whose logits fit about 64 MiB.
int64_t chunk_rows(int64_t vocabulary) { return std::max<int64_t>(16, (int64_t{1} << 24) / vocabulary); }

// Losses [n] of one chunk; logits [n, V] become weights * (softmax - onehot) with `gradient`.
Tensor chunk_losses(Tensor& logits, const Tensor& targets, const Tensor& weights, bool gradient) {
  const int64_t rows = logits.size(0), width = logits.size(1);
  if (fast(logits)) {
    Tensor losses = at::empty({rows}, logits.options());
    at::parallel_for(0, rows, std::max<int64_t>(1, 32768 / width), [&](int64_t begin, int64_t end) {
      kernels::cross_entropy(logits.data_ptr<float>() + begin * width, targets.data_ptr<int64_t>() + begin,
                             weights.defined() ? weights.data_ptr<float>() + begin : nullptr, end - begin,
                             width, gradient, losses.data_ptr<float>() + begin);
    });
    return losses;
  }
  Tensor log_probs = at::log_softmax(logits.to(at::kFloat), -1);
  Tensor losses = -log_probs.gather(1, targets.unsqueeze(1)).squeeze(1);
  if (gradient) {
    Tensor delta = log_probs.exp();
    delta.scatter_add_(1, targets.unsqueeze(1), at::full({rows, 1}, -1.0, delta.options()));
    logits = (delta * weights.unsqueeze(1)).to(logits.scalar_type());
  }
  return losses;
}

struct LinearCrossEntropy : Function<LinearCrossEntropy> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, const Tensor& weight,
                        const Tensor& targets, const Tensor& weights, bool weight_too, double cap) {
    at::NoGradGuard no_grad;
    const int64_t rows = hidden.size(0), chunk = chunk_rows(weight.size(0));
    Tensor total = at::zeros({}, hidden.options().dtype(at::kFloat));
    Tensor dhidden = at::empty_like(hidden);
    Tensor dweight = weight_too ? at::zeros_like(weight) : Tensor();
    for (int64_t begin = 0; begin < rows; begin += chunk) {
      const int64_t count = std::min(chunk, rows - begin);
      Tensor h = hidden.narrow(0, begin, count), w = weights.narrow(0, begin, count);
      Tensor logits = softcap(product(h, false, weight, true), cap);  // [n, V]
      const Tensor slope = cap > 0 ? 1 - (logits / cap).square() : Tensor();
      Tensor losses = chunk_losses(logits, targets.narrow(0, begin, count), w, true);
      if (slope.defined()) logits *= slope;
      total += (losses * w).sum();
      dhidden.narrow(0, begin, count).copy_(product(logits, false, weight, false));
      if (weight_too) dweight += product(logits, true, h, false);
    }
    ctx->save_for_backward({dhidden, dweight});
    return total;
  }
  static Grads backward(AutogradContext* ctx, Grads grads) {
    auto saved = ctx->get_saved_variables();
    Tensor dweight = saved[1].defined() ? saved[1] * grads[0] : Tensor();
    return {saved[0] * grads[0].to(saved[0].scalar_type()), dweight, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};
}  // namespace

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets,
                            const Tensor& weights, double cap) {
  const bool grad = at::GradMode::is_enabled();
  if (grad && (hidden.requires_grad() || weight.requires_grad()))
    return LinearCrossEntropy::apply(hidden.contiguous(), weight, targets, weights, weight.requires_grad(),
                                     cap);
  return -(token_log_probs(hidden, weight, targets, cap) * weights).sum();
}

Tensor token_log_probs(const Tensor& hidden, const Tensor& weight, const Tensor& targets, double cap) {
  at::NoGradGuard no_grad;
  const int64_t rows = hidden.size(0), chunk = chunk_rows(weight.size(0));
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    Tensor logits = softcap(product(hidden.narrow(0, begin, count), false, weight, true), cap);
    parts.push_back(-chunk_losses(logits, targets.narrow(0, begin, count), Tensor(), false));
  }
  return parts.empty() ? at::empty({0}, hidden.options().dtype(at::kFloat)) : at::cat(parts);
}

}  // namespace sdft::ops
