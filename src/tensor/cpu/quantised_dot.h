// The product of weights and activations of few bits by the instruction that adds four products of 8 bits to
// a sum of 32 (AVX-512 VNNI): a register has a panel's 16 rows of W, four numbers of each, and is multiplied
// with four numbers of a row of A.
#pragma once

#include "tensor/cpu/bf16_rows.h"
#include "tensor/cpu/quantised.h"

namespace sdft::cpu {
namespace {

constexpr int64_t kCodeBytes = 64;  // of a register

SDFT_INLINE __m512i four_bytes(const int8_t* a) {
  int32_t four;
  std::memcpy(&four, a, sizeof four);
  return _mm512_set1_epi32(four);
}

// sum + four products of codes and numbers each. Not by the compiler's name for the instruction: GCC 12
// copies the sum before and after it.
SDFT_INLINE __m512i add_dot(__m512i sum, __m512i codes, __m512i numbers) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(numbers));
  return sum;
}

// The whole numbers of one block: sum [rows, panels] += codes (from p on in each panel) times rows of A.
// ahead: bytes to the codes that are asked for meanwhile; 0: none are.
template <int kRows, int kPanels, int kBits>
SDFT_INLINE void dot_block(const uint8_t* const (&codes)[kPanels], const int8_t* a, int64_t lda,
                           int64_t depth, int64_t ahead, __m512i (&sum)[kRows][kPanels]) {
  constexpr int64_t kNumbers = kBits == 8 ? 4 : 8;  // of each row in a register
  const __m512i low_half = _mm512_set1_epi8(15);
  for (int64_t p = 0; p < depth; p += kNumbers) {
    const int64_t at = p / kNumbers * kCodeBytes;
    __m512i code[kPanels];
#pragma GCC unroll 2
    for (int l = 0; l < kPanels; ++l) {
      code[l] = _mm512_loadu_si512(codes[l] + at);
      if (ahead) ask_for(codes[l] + at, ahead);
    }
    if constexpr (kBits == 8) {
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const __m512i row = four_bytes(a + r * lda + p);
#pragma GCC unroll 2
        for (int l = 0; l < kPanels; ++l) sum[r][l] = add_dot(sum[r][l], code[l], row);
      }
    } else {
      const int64_t first = p / 32 * 32 + p % 32 / 2;
      __m512i high[kPanels];
#pragma GCC unroll 2
      for (int l = 0; l < kPanels; ++l) {
        high[l] = _mm512_and_si512(_mm512_srli_epi16(code[l], 4), low_half);
        code[l] = _mm512_and_si512(code[l], low_half);
      }
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const __m512i row = four_bytes(a + r * lda + first), other = four_bytes(a + r * lda + first + 16);
#pragma GCC unroll 2
        for (int l = 0; l < kPanels; ++l) {
          sum[r][l] = add_dot(sum[r][l], code[l], row);
          sum[r][l] = add_dot(sum[r][l], high[l], other);
        }
      }
    }
  }
}

// From a block that begins so many bytes on in its panel, to the codes that are read when kAhead more have
// been: panels are read side by side, and the next ones after them.
SDFT_INLINE int64_t codes_ahead(int64_t begin, int64_t panel_bytes, int64_t panels) {
  const int64_t on = kAhead / panels;
  return on + (begin + on) / panel_bytes * (panels - 1) * panel_bytes;
}

// kRows rows of A from i on by kPanels panels.
template <int kRows, int kPanels, int kBits>
SDFT_INLINE void quantised_tile(const QuantisedMatrix& w, const QuantisedRows& a, int64_t i, int64_t panel,
                                bool add, float* c, int64_t ldc, int64_t columns) {
  const int64_t blocks = w.blocks();
  const __mmask16 masks[2] = {first_lanes(columns), first_lanes(columns - 16)};
  const int8_t* numbers = static_cast<const int8_t*>(a.numbers) + i * w.k;
  __m512 total[kRows][kPanels];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int l = 0; l < kPanels; ++l)
      total[r][l] = add ? _mm512_maskz_loadu_ps(masks[l], c + r * ldc + l * 16) : _mm512_setzero_ps();
  for (int64_t b = 0; b < blocks; ++b) {
    __m512i sum[kRows][kPanels];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int l = 0; l < kPanels; ++l) sum[r][l] = _mm512_set1_epi32(a.starts[(i + r) * blocks + b]);
    const uint8_t* codes[kPanels];
    const int64_t begin = b * w.block * 2 * kBits;
    for (int l = 0; l < kPanels; ++l) codes[l] = w.codes + (panel + l) * w.panel_bytes() + begin;
    const int64_t ahead = i == 0 ? codes_ahead(begin, w.panel_bytes(), kPanels) : 0;
    dot_block<kRows, kPanels, kBits>(codes, numbers + b * w.block, w.k, w.depth(b), ahead, sum);
#pragma GCC unroll 2
    for (int l = 0; l < kPanels; ++l) {
      const int64_t at = ((panel + l) * blocks + b) * kQuantisedPanel;
      const __m512 scale = numbers_at<__m512>(w.scales, at);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r)
        total[r][l] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][l]),
                                      _mm512_mul_ps(scale, _mm512_set1_ps(a.scales[(i + r) * blocks + b])),
                                      total[r][l]);
      if (!w.offsets.there()) continue;
      const __m512 offset = numbers_at<__m512>(w.offsets, at);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r)
        total[r][l] = _mm512_fmadd_ps(offset, _mm512_set1_ps(a.sums[(i + r) * blocks + b]), total[r][l]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int l = 0; l < kPanels; ++l) _mm512_mask_storeu_ps(c + r * ldc + l * 16, masks[l], total[r][l]);
}

// Rows [i, last) by kPanels panels from column j on.
template <int kPanels, int kBits>
SDFT_INLINE void quantised_rows(const QuantisedMatrix& w, const QuantisedRows& a, int64_t i, int64_t last,
                                int64_t j, int64_t columns, bool add, float* c, int64_t ldc) {
  const auto tile = [&](auto count) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(count)::value;
    quantised_tile<kRows, kPanels, kBits>(w, a, i, j / kQuantisedPanel, add, c + i * ldc + j, ldc, columns);
    i += kRows;
  };
  while (i + 6 <= last) tile(std::integral_constant<int, 6>());
  if (i + 4 <= last) tile(std::integral_constant<int, 4>());
  if (i + 2 <= last) tile(std::integral_constant<int, 2>());
  if (i < last) tile(std::integral_constant<int, 1>());
}

// As run() in linear.h: columns whose codes stay in the second-level cache, rows whose numbers do in the
// first.
template <int kBits>
SDFT_INLINE void multiply_by_dots(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows,
                                  int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  constexpr int64_t kPair = 2 * kQuantisedPanel;
  const int64_t wide = std::max<int64_t>(1, (int64_t{1} << 18) / w.k / kPair) * kPair,
                tall = std::max<int64_t>(1, (int64_t{1} << 14) / w.k / 6) * 6;
  for (int64_t j0 = begin; j0 < end; j0 += wide)
    for (int64_t i = 0; i < rows; i += tall) {
      const int64_t last = std::min(rows, i + tall), j1 = std::min(end, j0 + wide);
      int64_t j = j0;
      if (rows <= 4)  // wait for the codes, which come fastest in one stream
        for (; j + kQuantisedPanel < j1; j += kQuantisedPanel)
          quantised_rows<1, kBits>(w, a, i, last, j, kQuantisedPanel, add, c, ldc);
      for (; j + kQuantisedPanel < j1; j += kPair)
        quantised_rows<2, kBits>(w, a, i, last, j, std::min(kPair, j1 - j), add, c, ldc);
      if (j < j1) quantised_rows<1, kBits>(w, a, i, last, j, j1 - j, add, c, ldc);
    }
}

void quantised_dot(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows, int64_t begin, int64_t end,
                   bool add, float* c, int64_t ldc) {
  if (w.bits == 8)
    multiply_by_dots<8>(w, a, rows, begin, end, add, c, ldc);
  else
    multiply_by_dots<4>(w, a, rows, begin, end, add, c, ldc);
}

}  // namespace
}  // namespace sdft::cpu
