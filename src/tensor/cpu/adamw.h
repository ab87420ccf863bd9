// The optimizer's step, and the norm that gradients are clipped by.
#pragma once

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

void adamw(const AdamWStep& step, const float* gradient, int64_t count, float* parameter, float* m,
           float* v) {
  const float decay = 1.0f - step.learning_rate * step.weight_decay;
  const float root_correction = std::sqrt(step.correction2);
  const float step_size = step.learning_rate / step.correction1;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    float g = gradient[i] * step.gradient_scale;
    m[i] = m[i] + (g - m[i]) * (1.0f - step.beta1);
    v[i] = v[i] * step.beta2 + g * g * (1.0f - step.beta2);
    float denominator = std::sqrt(v[i]) / root_correction + step.epsilon;
    parameter[i] = parameter[i] * decay - step_size * (m[i] / denominator);
  }
}

double sum_of_squares(const float* x, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

}  // namespace
}  // namespace sdft::cpu
