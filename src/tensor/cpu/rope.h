// Rotary positions.
#pragma once

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

void rope(const float* x, const float* cos, const float* sin, int64_t rows, int64_t heads, int64_t head_dim,
          bool inverse, float* y) {
  int64_t half = head_dim / 2;
  float sign = inverse ? -1.0f : 1.0f;
  for (int64_t row = 0; row < rows; ++row, cos += half, sin += half)
    for (int64_t head = 0; head < heads; ++head, x += head_dim, y += head_dim) {
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        float a = x[i], b = x[i + half], s = sign * sin[i];
        y[i] = a * cos[i] - b * s;
        y[i + half] = b * cos[i] + a * s;
      }
    }
}

}  // namespace
}  // namespace sdft::cpu
