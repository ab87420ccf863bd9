// Rows of numbers in bf16, a register at a time: what the products in bf16.h and amx.h share.
#pragma once

#include <immintrin.h>

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

constexpr int64_t kPairLanes = 32;  // numbers of bf16 in a register

SDFT_INLINE int64_t whole_registers(int64_t count) {
  return (count + kPairLanes - 1) / kPairLanes * kPairLanes;
}

// The first `count` lanes of 16, none where it is below 1.
SDFT_INLINE __mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count > 0 ? (1u << count) - 1 : 0);
}

SDFT_INLINE __m512i round_32(const float* x, int64_t count) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(first_lanes(count - 16), x + 16),
                                                       _mm512_maskz_loadu_ps(first_lanes(count), x)));
}

SDFT_INLINE __m512i load_32(const uint16_t* x, int64_t count) {
  if (count >= kPairLanes) return _mm512_loadu_si512(x);
  return _mm512_maskz_loadu_epi16((__mmask32{1} << count) - 1, x);
}

constexpr int64_t kStripColumns = 32, kStripRows = 1024;  // of W: what is interleaved at a time

// Numbers 0 to 15, and 16 to 31, of two rows in turn.
SDFT_INLINE __m512i interleaved_low() {
  return _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5,
                          36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
}
SDFT_INLINE __m512i interleaved_high() { return _mm512_add_epi16(interleaved_low(), _mm512_set1_epi16(16)); }

// Columns [j, j + 32) of rows [begin, end) of w: rows in pairs, [pairs, 2 * 16 columns, 2], `ld` numbers
// apart.
SDFT_INLINE void interleave_strip(const uint16_t* w, int64_t ldw, int64_t begin, int64_t end, int64_t j,
                                  int64_t columns, uint16_t* strip, int64_t ld = 2 * kStripColumns) {
  const __m512i low = interleaved_low(), high = interleaved_high();
  for (int64_t row = begin; row < end; row += 2, strip += ld) {
    const __m512i a = load_32(w + row * ldw + j, columns),
                  b = row + 1 < end ? load_32(w + (row + 1) * ldw + j, columns) : _mm512_setzero_si512();
    _mm512_storeu_si512(strip, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(strip + kStripColumns, _mm512_permutex2var_epi16(a, high, b));
  }
}

}  // namespace
}  // namespace sdft::cpu
