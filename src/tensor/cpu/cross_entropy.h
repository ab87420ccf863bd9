// Loss of rows of logits, and its gradient in their place.
#pragma once

#include "tensor/cpu/exp.h"

namespace sdft::cpu {
namespace {

void cross_entropy(float* logits, const int64_t* targets, const float* weights, int64_t rows, int64_t width,
                   bool gradient, float* losses) {
  for (int64_t row = 0; row < rows; ++row, logits += width) {
    float top = logits[0];
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < width; ++i) top = logits[i] > top ? logits[i] : top;
    float sum = 0;
    float target = logits[targets[row]];
    if (gradient) {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < width; ++i) sum += logits[i] = fast_exp(logits[i] - top);
      float scale = weights[row] / sum;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) logits[i] *= scale;
      logits[targets[row]] -= weights[row];
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < width; ++i) sum += fast_exp(logits[i] - top);
    }
    losses[row] = std::log(sum) + top - target;
  }
}

}  // namespace
}  // namespace sdft::cpu
