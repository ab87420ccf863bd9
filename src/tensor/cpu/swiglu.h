// silu(gate) * up.
#pragma once

#include "tensor/cpu/exp.h"

namespace sdft::cpu {
namespace {

void swiglu(const float* gate, const float* up, int64_t count, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

void swiglu_backward(const float* gate, const float* up, const float* dy, int64_t count, float* dgate,
                     float* dup) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    float sigmoid = 1.0f / (1.0f + fast_exp(-gate[i]));
    float silu = gate[i] * sigmoid;
    dgate[i] = dy[i] * up[i] * (sigmoid + silu * (1.0f - sigmoid));
    dup[i] = dy[i] * silu;
  }
}

}  // namespace
}  // namespace sdft::cpu
