#include "model/change.h"

#include "base/interrupt.h"

namespace sdft {

void scale_change(Model& tuned, const Model& seed, double scale) {
  at::NoGradGuard no_grad;
  Model before = seed;  // shares the tensors
  for (auto& [name, now] : named_parameters(tuned)) {
    const Tensor was = ops::widened(*find_weight(before, name));
    now->copy_(was + scale * (now->to(at::kFloat) - was));
  }
}

namespace {
// W0 + t (f (W0 + s B A) - W0) is g (W0 + (t f / g) s B A) with g = 1 + t (f - 1), row by row.
void scale_dora(Adapter& adapter, const Model& seed, double scale) {
  std::map<std::string, Tensor> factors;  // g, [out]
  for (auto& [name, pair] : adapter.pairs) {
    const Tensor f = dora_factor(pair), g = 1 + scale * (f - 1);
    pair.b = pair.b * (scale * f / g).unsqueeze(1);
    factors[name] = g;
  }
  refresh_norms(seed, adapter);
  for (auto& [name, pair] : adapter.pairs) pair.magnitude = factors.at(name) * pair.norm;
}
}  // namespace

void scale_change(Adapter& adapter, const Model& seed, double scale) {
  at::NoGradGuard no_grad;
  if (adapter.config.use_dora) {
    scale_dora(adapter, seed, scale);
  } else {
    adapter.config.alpha *= scale;
    for (auto& [name, pair] : adapter.pairs) pair.scale *= scale;
  }
  Model before = seed;
  for (auto& [name, weight] : adapter.replaced) {
    const Tensor was = ops::widened(*find_weight(before, name));
    weight.copy_(was + scale * (weight.to(at::kFloat) - was));
  }
}

void prune_change(Model& tuned, const Model& seed, double ratio) {
  at::NoGradGuard no_grad;
  Model before = seed;
  for (auto& [name, now] : named_parameters(tuned)) {  // of tied weights, one may have changed alone
    stop_if_interrupted();
    Tensor& w = *now;
    const Tensor w0 = find_weight(before, name)->to(w.scalar_type());
    const auto dropped = static_cast<int64_t>(ratio * static_cast<double>(w.numel()));
    if (w.dim() != 2 || dropped == 0) continue;
    const Tensor change = (w.to(at::kFloat) - w0.to(at::kFloat)).abs();
    const Tensor size = at::where(change > 0, change / w0.to(at::kFloat).abs(), at::zeros_like(change));
    const Tensor limit = std::get<0>(size.flatten().kthvalue(w.numel() - dropped + 1));
    w.copy_(at::where((size >= limit).logical_and(change > 0), w0, w));
  }
}

}  // namespace sdft
