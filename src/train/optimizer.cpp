#include "train/optimizer.h"

#include <cmath>

#include "tensor/ops.h"

namespace sdft {

AdamW::AdamW(const AdamWOptions& given, NamedTensors list, std::vector<double> of_each)
    : options(given), parameters(std::move(list)), rates(std::move(of_each)) {
  rates.resize(parameters.size(), 1.0);
  for (const auto& item : parameters) {
    m.push_back(at::zeros_like(item.second));
    v.push_back(at::zeros_like(item.second));
  }
}

double AdamW::step(double learning_rate, double max_grad_norm) {
  at::NoGradGuard no_grad;
  ++steps;
  double total = 0;
  std::vector<Tensor> gradients;
  for (auto& item : parameters) {
    Tensor gradient = item.second.grad();
    gradients.push_back(gradient.defined() ? gradient.contiguous() : Tensor());
    if (gradient.defined()) total += ops::squared_norm(gradients.back());
  }
  const double norm = std::sqrt(total);
  AdamWStep s{};
  s.beta1 = static_cast<float>(options.beta1);
  s.beta2 = static_cast<float>(options.beta2);
  s.epsilon = static_cast<float>(options.epsilon);
  s.correction1 = static_cast<float>(1.0 - std::pow(options.beta1, static_cast<double>(steps)));
  s.correction2 = static_cast<float>(1.0 - std::pow(options.beta2, static_cast<double>(steps)));
  // As torch.nn.utils.clip_grad_norm_.
  s.gradient_scale =
      max_grad_norm > 0 ? static_cast<float>(std::min(1.0, max_grad_norm / (norm + 1e-6))) : 1.0f;
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor& parameter = parameters[i].second;
    s.learning_rate = static_cast<float>(learning_rate * rates[i]);
    s.weight_decay =
        parameter.dim() >= 2 || options.decay_vectors ? static_cast<float>(options.weight_decay) : 0.0f;
    if (gradients[i].defined()) ops::adamw(s, gradients[i], parameter, m[i], v[i]);
    parameter.mutable_grad() = Tensor();
  }
  return norm;
}

}  // namespace sdft
