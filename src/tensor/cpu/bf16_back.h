// C = A W with numbers rounded to bf16, the gradient of a product's input: bf16.h's other direction, in which
// the sum runs over the weights' rows, so that strips of them are interleaved in the cache first.
#pragma once

#include "tensor/cpu/bf16_rows.h"
#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

template <int kRows>
SDFT_INLINE void strip_tile(const uint16_t* a, int64_t lda, const uint16_t* strip, int64_t pairs, bool add,
                            float* c, int64_t ldc, int64_t columns) {
  const __mmask16 masks[2] = {first_lanes(columns), first_lanes(columns - 16)};
  __m512 sum[kRows][2];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int l = 0; l < 2; ++l)
      sum[r][l] = add ? _mm512_maskz_loadu_ps(masks[l], c + r * ldc + l * 16) : _mm512_setzero_ps();
  for (int64_t p = 0; p < pairs; ++p) {
    const __m512i first = _mm512_loadu_si512(strip + p * 2 * kStripColumns),
                  second = _mm512_loadu_si512(strip + p * 2 * kStripColumns + kStripColumns);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      int32_t pair;
      std::memcpy(&pair, a + r * lda + 2 * p, sizeof pair);
      const __m512i both = _mm512_set1_epi32(pair);
      sum[r][0] = dot(sum[r][0], both, first);
      sum[r][1] = dot(sum[r][1], both, second);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int l = 0; l < 2; ++l) _mm512_mask_storeu_ps(c + r * ldc + l * 16, masks[l], sum[r][l]);
}

void linear_back_dot(const uint16_t* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                     int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  const int64_t lda = whole_registers(n);
  auto* strip = reinterpret_cast<uint16_t*>(scratch(0, kStripRows * kStripColumns / 2));
  for (int64_t first = 0; first < n; first += kStripRows) {
    const int64_t last = std::min(n, first + kStripRows), pairs = (last - first + 1) / 2;
    for (int64_t j = begin; j < end; j += kStripColumns) {
      const int64_t columns = std::min(kStripColumns, end - j);
      interleave_strip(w, ldw, first, last, j, columns, strip);
      int64_t i = 0;
      const auto tile = [&](auto count) SDFT_LAMBDA_INLINE {
        constexpr int kRows = decltype(count)::value;
        strip_tile<kRows>(packed + i * lda + first, lda, strip, pairs, add || first > 0, c + i * ldc + j, ldc,
                          columns);
        i += kRows;
      };
      while (i + 12 <= rows) tile(std::integral_constant<int, 12>());
      while (i + 4 <= rows) tile(std::integral_constant<int, 4>());
      while (i < rows) tile(std::integral_constant<int, 1>());
    }
  }
}

}  // namespace
}  // namespace sdft::cpu
