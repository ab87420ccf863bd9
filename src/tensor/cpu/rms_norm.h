// Root mean square normalisation of rows.
#pragma once

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

void rms_norm(const float* x, const float* w, float eps, int64_t rows, int64_t width, float* y, float* rstd) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
    float scale = 1.0f / std::sqrt(sum / static_cast<float>(width) + eps);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * w[i];
    if (rstd) rstd[row] = scale;
  }
}

void rms_norm_backward(const float* x, const float* w, const float* rstd, const float* dy, int64_t rows,
                       int64_t width, float* dx, float* dw) {
  for (int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width) {
    float scale = rstd[row], dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; ++i) dot += dy[i] * w[i] * x[i];
    float shared = dot * scale * scale * scale / static_cast<float>(width);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) dx[i] = dy[i] * w[i] * scale - x[i] * shared;
    if (dw) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) dw[i] += dy[i] * x[i] * scale;
    }
  }
}

}  // namespace
}  // namespace sdft::cpu
