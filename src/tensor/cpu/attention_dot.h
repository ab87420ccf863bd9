// The newest token's attention by the instruction of bf16.h: scores are its products with the keys as they
// lie, and values are weighed two rows at a time.
#pragma once

#include "tensor/cpu/bf16.h"

namespace sdft::cpu {
namespace {

// scores[i][j], rows of `end`, of queries q [rows, width] with keys [begin, end). What is asked for ahead
// goes on with the values, where the keys end.
SDFT_INLINE void score_rows(const uint16_t* q, int64_t rows, int64_t width, const uint16_t* keys,
                            const uint16_t* values, int64_t stride, int64_t begin, int64_t end,
                            float* scores) {
  Bf16Product x{q, keys, rows, width, whole_registers(width), stride, end, false, scores};
  const int64_t last = begin + std::max<int64_t>(0, end - begin - kAhead / (2 * stride)) / 4 * 4;
  multiply_block(x, begin, last);
  x.ahead = 2 * ((values + begin * stride) - (keys + last * stride));
  multiply_block(x, last, end);
}

// y[r][n] = factor[r] sum_j p[r][j] x[j][n] for kRegisters * 16 columns (of which `columns` are there): p
// [kRows, ldp] in bf16 with zeros behind, x [count, stride]. next: what is asked for at the end, may be null.
template <int kRows, int kRegisters>
SDFT_INLINE void weigh_pairs(const uint16_t* p, int64_t ldp, const uint16_t* x, int64_t stride, int64_t count,
                             int64_t columns, const uint16_t* next, const float* factor, float* y,
                             int64_t ldy) {
  const __m512i low = interleaved_low(), high = interleaved_high();
  __m512 sum[kRows][kRegisters] = {};
  const int64_t last = std::max<int64_t>(0, count - kAhead / (2 * stride)) / 2 * 2;
  int64_t ahead = kAhead;
  for (int64_t j = 0; j < count; j += 2, x += 2 * stride) {
    __m512i both[kRegisters];
    if (j == last) ahead = next ? 2 * (next - x) : 0;
#pragma GCC unroll 2
    for (int l = 0; l < kRegisters; l += 2) {
      ask_for(x + l * 16, ahead);
      ask_for(x + stride + l * 16, ahead);
      const __m512i a = load_32(x + l * 16, columns - l * 16),
                    b = j + 1 < count ? load_32(x + stride + l * 16, columns - l * 16)
                                      : _mm512_setzero_si512();
      both[l] = _mm512_permutex2var_epi16(a, low, b);
      both[l + 1] = _mm512_permutex2var_epi16(a, high, b);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      int32_t pair;
      std::memcpy(&pair, p + r * ldp + j, sizeof pair);
      const __m512i weights = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
      for (int l = 0; l < kRegisters; ++l) sum[r][l] = dot(sum[r][l], weights, both[l]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int l = 0; l < kRegisters; ++l) {
      _mm512_mask_storeu_ps(y + r * ldy + l * 16, first_lanes(columns - l * 16),
                            _mm512_mul_ps(sum[r][l], _mm512_set1_ps(factor[r])));
    }
}

template <int kRows>
SDFT_INLINE void weigh_rows(const uint16_t* p, int64_t ldp, const uint16_t* x, int64_t stride, int64_t count,
                            int64_t width, const uint16_t* next, const float* factor, float* y, int64_t ldy) {
  int64_t at = 0;
  const auto from = [&] { return next ? next + at : nullptr; };
  for (; at + 64 <= width; at += 64)
    weigh_pairs<kRows, 4>(p, ldp, x + at, stride, count, 64, from(), factor, y + at, ldy);
  for (; at < width; at += 32)
    weigh_pairs<kRows, 2>(p, ldp, x + at, stride, count, std::min<int64_t>(32, width - at), from(), factor,
                          y + at, ldy);
}

}  // namespace
}  // namespace sdft::cpu
