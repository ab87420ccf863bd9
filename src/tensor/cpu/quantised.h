// Weights and activations of few bits: how they are made and unmade, and their product by the instruction
// that adds pairs of products of 16 bits, for processors without one for four of 8 bits (quantised_dot.h).
#pragma once

#if SDFT_VECTOR_LANES > 4 || defined(__SSE2__)
#include <immintrin.h>
#endif

#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

// --- activations

// What quantises numbers whose largest size is that of `bits`.
struct Quantiser {
  float scale, inverse;
};

SDFT_INLINE Quantiser quantiser_of(int32_t bits) {
  constexpr int32_t kInfinity = 0x7f800000, kTiny = 0x10000000;  // 2.5e-29
  if (bits >= kInfinity) return {from_bits(0x7fc00000), 0};
  if (bits < kTiny) return {0, 0};
  const float largest = from_bits(static_cast<uint32_t>(bits));
  return {largest / 127, 127 / largest};
}

// x to whole numbers, ties to even: what is added leaves no room for a fraction.
template <typename Number>
SDFT_INLINE int32_t quantise(const float* x, int64_t count, float inverse, Number* numbers) {
  int32_t sum = 0;
  for (int64_t p = 0; p < count; ++p) {
    const float shifted = x[p] * inverse + 12582912.0f;
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const int32_t number = bits - 0x4b400000;
    numbers[p] = static_cast<Number>(number);
    sum += number;
  }
  return sum;
}

template <typename Number>
void pack_quantised(const float* x, int64_t ldx, int64_t begin, int64_t end, int64_t width,
                    const QuantisedMatrix& w, const QuantisedRows& rows) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t b = 0; b < w.blocks(); ++b) {
      const float* from = x + i * ldx + b * w.block;
      Number* to = static_cast<Number*>(rows.numbers) + i * w.k + b * w.block;
      const int64_t depth = w.depth(b), count = std::clamp<int64_t>(width - b * w.block, 0, depth);
      int32_t largest = 0;
      for (int64_t p = 0; p < count; ++p) {
        int32_t bits;
        std::memcpy(&bits, from + p, sizeof bits);
        largest = std::max(largest, bits & 0x7fffffff);
      }
      const Quantiser quantiser = quantiser_of(largest);
      const int64_t at = i * w.blocks() + b;
      rows.scales[at] = quantiser.scale;
      if (quantiser.inverse == 0) {
        std::memset(to, 0, static_cast<size_t>(depth) * sizeof(Number));
        rows.starts[at] = 0;
        if (w.offsets.there()) rows.sums[at] = quantiser.scale;  // zero, or NaN
        continue;
      }
      const int32_t sum = quantise(from, count, quantiser.inverse, to);
      rows.starts[at] = -w.zero() * sum;
      if (w.offsets.there()) rows.sums[at] = static_cast<float>(sum) * quantiser.scale;
      std::memset(to + count, 0, static_cast<size_t>(depth - count) * sizeof(Number));
    }
}

// --- weights as numbers

SDFT_INLINE float number_at(const BlockNumbers& x, int64_t at) {
  return x.f16 ? widen(F16{x.f16[at]}) : x.f32[at];
}

// A register of them, from `at` on.
template <typename V>
SDFT_INLINE V numbers_at(const BlockNumbers& x, int64_t at) {
  return x.f16 ? load<V, SDFT_VECTOR_LANES>(reinterpret_cast<const F16*>(x.f16 + at))
               : load<V, SDFT_VECTOR_LANES>(x.f32 + at);
}

typedef uint8_t Bytes16 __attribute__((vector_size(16), aligned(1), may_alias));

// 16 numbers of a row at a time, which a block's scale is always of: four groups of four in the panel.
void widen_quantised(const QuantisedMatrix& w, int64_t panel, int64_t width, float* y) {
  constexpr int64_t kSome = 16, kGroup = kQuantisedPanel * 4;  // of a group's bytes
  const int64_t rows = std::min(kQuantisedPanel, w.columns - panel * kQuantisedPanel);
  const uint8_t* codes = w.codes + panel * w.panel_bytes();
  for (int64_t p = 0; p < width; p += kSome) {
    const int64_t block = (panel * w.blocks() + p / w.block) * kQuantisedPanel;
    const int64_t half = w.bits == 8 ? p : p / 32 * 16;
    for (int64_t r = 0; r < rows; ++r) {
      const uint8_t* from = codes + half / 4 * kGroup + r * 4;
      uint8_t bytes[16];
      for (int g = 0; g < 4; ++g) std::memcpy(bytes + 4 * g, from + g * kGroup, 4);
      Bytes16 code = *reinterpret_cast<const Bytes16*>(bytes);
      if (w.bits == 4) code = p % 32 < 16 ? code & uint8_t{15} : code >> uint8_t{4};
      const Float16 whole = __builtin_convertvector(code, Float16) - static_cast<float>(w.zero());
      const Float16 values = whole * number_at(w.scales, block + r) +
                             (w.offsets.there() ? number_at(w.offsets, block + r) : 0.0f);
      if (p + kSome <= width)
        *reinterpret_cast<Float16*>(y + r * width + p) = values;
      else
        for (int64_t i = p; i < width; ++i) y[r * width + i] = values[i - p];
    }
  }
}

// --- the product by pairs

typedef int32_t Sums __attribute__((vector_size(SDFT_VECTOR_LANES * 4)));
typedef int16_t Words __attribute__((vector_size(SDFT_VECTOR_LANES * 4)));
typedef int64_t Longs __attribute__((vector_size(SDFT_VECTOR_LANES * 4)));
typedef uint8_t Codes __attribute__((vector_size(SDFT_VECTOR_LANES * 2), aligned(1), may_alias));
typedef float Floats __attribute__((vector_size(SDFT_VECTOR_LANES * 4), aligned(4), may_alias));

// The sums of two products each.
SDFT_INLINE Sums multiply_pairs(Words a, Words b) {
#if SDFT_VECTOR_LANES == 16
  return reinterpret_cast<Sums>(
      _mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif SDFT_VECTOR_LANES == 8
  return reinterpret_cast<Sums>(
      _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Sums>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  Sums sums;
  for (int i = 0; i < SDFT_VECTOR_LANES; ++i) sums[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  return sums;
#endif
}

// Both numbers of each row of W, of two vectors of pairs.
SDFT_INLINE Sums sum_pairs(Sums a, Sums b) {
#if SDFT_VECTOR_LANES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
         __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif SDFT_VECTOR_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14) +
         __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

// Of a panel: vectors of pairs, and of sums.
constexpr int kPairParts = 32 / SDFT_VECTOR_LANES, kSumParts = 16 / SDFT_VECTOR_LANES;

SDFT_INLINE Words four_numbers(const int16_t* a) {
  int64_t four;
  std::memcpy(&four, a, sizeof four);
  return reinterpret_cast<Words>(Longs{} + four);
}

// kRows rows of A from i on by a panel.
template <int kRows, int kBits>
SDFT_INLINE void pair_tile(const QuantisedMatrix& w, const QuantisedRows& a, int64_t i, int64_t panel,
                           bool add, float* c, int64_t ldc, int64_t columns) {
  const int64_t blocks = w.blocks();
  const uint8_t* codes = w.codes + panel * w.panel_bytes();
  const int16_t* numbers = static_cast<const int16_t*>(a.numbers) + i * w.k;
  float total[kRows][kQuantisedPanel] = {};
  if (add)
    for (int r = 0; r < kRows; ++r)
      std::memcpy(total[r], c + r * ldc, static_cast<size_t>(columns) * sizeof(float));
  for (int64_t b = 0; b < blocks; ++b) {
    Sums sum[kRows][kPairParts] = {};
    for (int64_t p = b * w.block; p < b * w.block + w.depth(b); p += kBits == 4 ? 32 : 4) {
      for (int t = 0; t < (kBits == 4 ? 4 : 1); ++t, codes += 64) {
#pragma GCC unroll 8
        for (int part = 0; part < kPairParts; ++part) {
          Codes code = *reinterpret_cast<const Codes*>(codes + part * SDFT_VECTOR_LANES * 2);
          const Words low = __builtin_convertvector(kBits == 4 ? code & uint8_t{15} : code, Words);
          const Words high = __builtin_convertvector(code >> uint8_t{4}, Words);
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            const int16_t* row = numbers + r * w.k + p + 4 * t;
            sum[r][part] += multiply_pairs(low, four_numbers(row));
            if constexpr (kBits == 4) sum[r][part] += multiply_pairs(high, four_numbers(row + 16));
          }
        }
      }
    }
    Floats scales[kSumParts], offsets[kSumParts];
    for (int part = 0; part < kSumParts; ++part) {
      const int64_t at = (panel * blocks + b) * kQuantisedPanel + part * SDFT_VECTOR_LANES;
      scales[part] = numbers_at<Floats>(w.scales, at);
      if (w.offsets.there()) offsets[part] = numbers_at<Floats>(w.offsets, at);
    }
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (i + r) * blocks + b;
      for (int part = 0; part < kSumParts; ++part) {
        const Sums whole = sum_pairs(sum[r][2 * part], sum[r][2 * part + 1]) + a.starts[at];
        auto* to = reinterpret_cast<Floats*>(total[r] + part * SDFT_VECTOR_LANES);
        *to += __builtin_convertvector(whole, Floats) * (scales[part] * a.scales[at]);
        if (w.offsets.there()) *to += offsets[part] * a.sums[at];
      }
    }
  }
  for (int r = 0; r < kRows; ++r)
    std::memcpy(c + r * ldc, total[r], static_cast<size_t>(columns) * sizeof(float));
}

template <int kBits>
SDFT_INLINE void multiply_by_pairs(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows,
                                   int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  constexpr int kRows = SDFT_VECTOR_LANES == 16 ? 6 : SDFT_VECTOR_LANES == 8 ? 2 : 1;
  for (int64_t j = begin; j < end; j += kQuantisedPanel) {
    const int64_t panel = j / kQuantisedPanel, columns = std::min(kQuantisedPanel, end - j);
    int64_t i = 0;
    for (; i + kRows <= rows; i += kRows)
      pair_tile<kRows, kBits>(w, a, i, panel, add, c + i * ldc + j, ldc, columns);
    for (; i < rows; ++i) pair_tile<1, kBits>(w, a, i, panel, add, c + i * ldc + j, ldc, columns);
  }
}

[[maybe_unused]] void quantised_pairs(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows,
                                      int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  if (w.bits == 8)
    multiply_by_pairs<8>(w, a, rows, begin, end, add, c, ldc);
  else
    multiply_by_pairs<4>(w, a, rows, begin, end, add, c, ldc);
}

}  // namespace
}  // namespace sdft::cpu
