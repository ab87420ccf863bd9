// What choosing a token from a row of logits needs, over whole rows at a time.
#pragma once

#include "tensor/cpu/exp.h"

namespace sdft::cpu {
namespace {

// Numbers whose sums are formed in f32, and that are looked at one by one or not at all.
constexpr int64_t kRun = 64;

float maximum(const float* x, int64_t count) {
  float top = x[0];
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < count; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

int64_t count_at_least(const float* x, int64_t count, float least) {
  int32_t found = 0;
#pragma omp simd reduction(+ : found)
  for (int64_t i = 0; i < count; ++i) found += x[i] >= least ? 1 : 0;
  return found;
}

int64_t find_at_least(const float* x, int64_t count, float least, int64_t limit, int32_t* indices) {
  int64_t found = 0;
  for (int64_t begin = 0; begin < count && found < limit; begin += kRun) {
    const int64_t end = std::min(count, begin + kRun);
    int32_t here = 0;
#pragma omp simd reduction(+ : here)
    for (int64_t i = begin; i < end; ++i) here += x[i] >= least ? 1 : 0;
    for (int64_t i = begin; here > 0 && found < limit; ++i)
      if (x[i] >= least) {
        indices[found++] = static_cast<int32_t>(i);
        --here;
      }
  }
  return found;
}

double softmax_weights(const float* x, int64_t count, float top, float factor, float* weights) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const int64_t end = std::min(count, begin + kRun);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += weights[i] = fast_exp((x[i] - top) * factor);
    total += static_cast<double>(sum);
  }
  return total;
}

double sum_at_least(const float* x, const float* weights, int64_t count, float least) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const int64_t end = std::min(count, begin + kRun);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += x[i] >= least ? weights[i] : 0.0f;
    total += static_cast<double>(sum);
  }
  return total;
}

int64_t first_beyond(const float* weights, int64_t count, double sum) {
  double before = 0;
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const int64_t end = std::min(count, begin + kRun);
    float here = 0;
#pragma omp simd reduction(+ : here)
    for (int64_t i = begin; i < end; ++i) here += weights[i];
    double within = before;
    for (int64_t i = begin; before + static_cast<double>(here) > sum && i < end; ++i)
      if ((within += static_cast<double>(weights[i])) > sum) return i;
    before += static_cast<double>(here);
  }
  return count - 1;
}

}  // namespace
}  // namespace sdft::cpu
