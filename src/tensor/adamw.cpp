// The optimizer's step, and the norm that gradients are clipped by.
#include <cmath>
#include <vector>

#include "tensor/operations.h"

namespace sdft::ops {

namespace {
constexpr int64_t kChunk = 16384;  // numbers a task; sums are added in the order of chunks
}

double squared_norm(const Tensor& x) { return find(kSquaredNorm, x)(x); }

double squared_norm_kernels(const Tensor& x) {
  const int64_t count = x.numel(), chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> sums(static_cast<size_t>(chunks));
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      sums[static_cast<size_t>(c)] =
          kernels().sum_of_squares(in(x) + c * kChunk, std::min(kChunk, count - c * kChunk));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

double squared_norm_aten(const Tensor& x) { return x.to(at::kDouble).square().sum().item<double>(); }

void adamw(const AdamWStep& step, const Tensor& gradient, Tensor& parameter, Tensor& m, Tensor& v) {
  find(kAdamW, parameter)(step, gradient, parameter, m, v);
}

void adamw_kernels(const AdamWStep& step, const Tensor& gradient, Tensor& parameter, Tensor& m, Tensor& v) {
  at::parallel_for(0, parameter.numel(), kChunk, [&](int64_t begin, int64_t end) {
    kernels().adamw(step, in(gradient) + begin, end - begin, out(parameter) + begin, out(m) + begin,
                    out(v) + begin);
  });
}

void adamw_aten(const AdamWStep& s, const Tensor& gradient, Tensor& parameter, Tensor& m, Tensor& v) {
  Tensor g = gradient * s.gradient_scale;
  m.add_(g - m, 1.0 - s.beta1);
  v.mul_(s.beta2).addcmul_(g, g, 1.0 - s.beta2);
  Tensor denominator = (v.sqrt() / std::sqrt(s.correction2)).add_(s.epsilon);
  parameter.mul_(1.0 - s.learning_rate * s.weight_decay)
      .addcdiv_(m, denominator, -s.learning_rate / s.correction1);
}

}  // namespace sdft::ops
