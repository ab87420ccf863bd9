// C = A B of numbers in bf16 that stand in pairs of what is summed over: the instruction multiplies a pair of
// A's with 16 columns of B at once, and no sum crosses lanes.
#pragma once

#include "tensor/cpu/bf16_rows.h"

namespace sdft::cpu {
namespace {

typedef int32_t Pair __attribute__((may_alias, aligned(2)));

// Pair p of row i stands at data[i * row + p * pair].
struct PairRows {
  const Pair* data;
  int64_t row, pair;
};

// Rows of numbers, `ld` apart and filled up with zeros to whole registers.
SDFT_INLINE PairRows pairs_of(const uint16_t* rows, int64_t ld) {
  return {reinterpret_cast<const Pair*>(rows), ld / 2, 1};
}

SDFT_INLINE __m512 dot(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

// kRows rows and up to 32 columns of C; of B [pairs, 32].
template <int kRows>
SDFT_INLINE void pair_tile(const PairRows& a, const uint16_t* strip, int64_t pairs, bool add, float* c,
                           int64_t ldc, int64_t columns) {
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
      const __m512i both = _mm512_set1_epi32(a.data[r * a.row + p * a.pair]);
      sum[r][0] = dot(sum[r][0], both, first);
      sum[r][1] = dot(sum[r][1], both, second);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int l = 0; l < 2; ++l) _mm512_mask_storeu_ps(c + r * ldc + l * 16, masks[l], sum[r][l]);
}

// A strip's columns of C[rows, columns] (+ C with `add`).
SDFT_INLINE void multiply_strip(const PairRows& a, int64_t rows, const uint16_t* strip, int64_t pairs,
                                bool add, float* c, int64_t ldc, int64_t columns) {
  int64_t i = 0;
  const auto tile = [&](auto count) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(count)::value;
    pair_tile<kRows>({a.data + i * a.row, a.row, a.pair}, strip, pairs, add, c + i * ldc, ldc, columns);
    i += kRows;
  };
  while (i + 12 <= rows) tile(std::integral_constant<int, 12>());
  while (i + 4 <= rows) tile(std::integral_constant<int, 4>());
  while (i < rows) tile(std::integral_constant<int, 1>());
}

}  // namespace
}  // namespace sdft::cpu
