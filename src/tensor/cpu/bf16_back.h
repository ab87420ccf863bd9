// C = A W with numbers rounded to bf16, the gradient of a product's input: bf16.h's other direction, in which
// the sum runs over the weights' rows, so that strips of them are interleaved in the cache first.
#pragma once

#include "tensor/cpu/bf16_pairs.h"
#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

void linear_back_dot(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                     int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  const int64_t lda = whole_registers(n);
  auto* strip = reinterpret_cast<uint16_t*>(scratch(0, kStripRows * kStripColumns / 2));
  for (int64_t first = 0; first < n; first += kStripRows) {
    const int64_t last = std::min(n, first + kStripRows), pairs = (last - first + 1) / 2;
    for (int64_t j = begin; j < end; j += kStripColumns) {
      const int64_t columns = std::min(kStripColumns, end - j);
      interleave_strip(w, ldw, first, last, j, columns, strip);
      const PairRows a = pairs_of(static_cast<const uint16_t*>(packed) + first, lda);
      multiply_strip(a, rows, strip, pairs, add || first > 0, c + j, ldc, columns);
    }
  }
}

}  // namespace
}  // namespace sdft::cpu
