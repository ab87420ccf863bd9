#include "train/optimizer.h"

#include <cmath>

#include "tensor/kernels.h"

namespace sdft {

AdamW::AdamW(const AdamWOptions& given, NamedTensors list) : options(given), parameters(std::move(list)) {
  for (const auto& item : parameters) {
    m.push_back(at::zeros_like(item.second));
    v.push_back(at::zeros_like(item.second));
  }
}

namespace {
constexpr int64_t kChunk = 16384;  // numbers a task; sums are added in the order of chunks

double squared_norm(const Tensor& gradient) {
  if (!gradient.device().is_cpu()) {
    return gradient.to(at::kDouble).square().sum().item<double>();
  }
  const float* x = gradient.data_ptr<float>();
  const int64_t count = gradient.numel(), chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> sums(static_cast<size_t>(chunks));
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      sums[static_cast<size_t>(c)] =
          kernels::sum_of_squares(x + c * kChunk, std::min(kChunk, count - c * kChunk));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

void update(const kernels::AdamWStep& s, const Tensor& gradient, Tensor& parameter, Tensor& m, Tensor& v) {
  if (parameter.device().is_cpu()) {
    at::parallel_for(0, parameter.numel(), kChunk, [&](int64_t begin, int64_t end) {
      kernels::adamw(s, gradient.data_ptr<float>() + begin, end - begin, parameter.data_ptr<float>() + begin,
                     m.data_ptr<float>() + begin, v.data_ptr<float>() + begin);
    });
    return;
  }
  Tensor g = gradient * s.gradient_scale;
  m.add_(g - m, 1.0 - s.beta1);
  v.mul_(s.beta2).addcmul_(g, g, 1.0 - s.beta2);
  Tensor denominator = (v.sqrt() / std::sqrt(s.correction2)).add_(s.epsilon);
  parameter.mul_(1.0 - s.learning_rate * s.weight_decay)
      .addcdiv_(m, denominator, -s.learning_rate / s.correction1);
}
}  // namespace

double AdamW::step(double learning_rate, double max_grad_norm) {
  at::NoGradGuard no_grad;
  ++steps;
  double total = 0;
  std::vector<Tensor> gradients;
  for (auto& item : parameters) {
    Tensor gradient = item.second.grad();
    gradients.push_back(gradient.defined() ? gradient.contiguous() : Tensor());
    if (gradient.defined()) total += squared_norm(gradients.back());
  }
  const double norm = std::sqrt(total);
  kernels::AdamWStep s{};
  s.learning_rate = static_cast<float>(learning_rate);
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
    s.weight_decay =
        parameter.dim() >= 2 || options.decay_vectors ? static_cast<float>(options.weight_decay) : 0.0f;
    if (gradients[i].defined()) update(s, gradients[i], parameter, m[i], v[i]);
    parameter.mutable_grad() = Tensor();
  }
  return norm;
}

}  // namespace sdft
