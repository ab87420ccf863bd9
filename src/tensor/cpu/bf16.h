// Matrix products of numbers rounded to bf16, by the instruction that adds two products of bf16 to a sum in
// f32 (AVX-512 BF16). Activations are rounded once into rows of whole registers ("packed"); weights are read
// as they are stored. As in linear.h an element's sum has one order, whatever stands beside it.
#pragma once

#include "tensor/cpu/bf16_pairs.h"
#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

// Row after row, filled up with zeros.
void pack_rows_dot(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed) {
  const int64_t ld = whole_registers(k);
  auto* y = static_cast<uint16_t*>(packed);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < k; p += kPairLanes)
      _mm512_storeu_si512(y + i * ld + p, round_32(x + i * ldx + p, k - p));
}

// --- C = A W^T

struct Bf16Product {
  const uint16_t* a;  // packed
  const uint16_t* w;
  int64_t rows, k, lda, ldw, ldc;
  bool add;
  float* c;
  int64_t ahead = kAhead;  // of a number that is multiplied: bytes to what is asked for
};

template <int kRows, int kColumns>
SDFT_INLINE void dot_tile(const Bf16Product& x, int64_t i, int64_t j, int64_t begin, int64_t end) {
  const uint16_t *a = x.a + i * x.lda, *w = x.w + j * x.ldw;
  __m512 sum[kRows][4] = {};
  const bool ahead = i == 0;
  for (int64_t p = begin; p < end; p += kPairLanes) {
    __m512i column[kColumns];
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) column[l] = load_32(w + l * x.ldw + p, x.k - p);
    if (ahead)
#pragma GCC unroll 4
      for (int l = 0; l < kColumns; ++l) ask_for(w + l * x.ldw + p, x.ahead);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i row = _mm512_loadu_si512(a + r * x.lda + p);
#pragma GCC unroll 4
      for (int l = 0; l < kColumns; ++l) sum[r][l] = dot(sum[r][l], row, column[l]);
    }
  }
  const bool add = x.add || begin > 0;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const Float4 dots = sums(reinterpret_cast<Float16>(sum[r][0]), reinterpret_cast<Float16>(sum[r][1]),
                             reinterpret_cast<Float16>(sum[r][2]), reinterpret_cast<Float16>(sum[r][3]));
    float* to = x.c + (i + r) * x.ldc + j;
    if constexpr (kColumns == 4) {
      *reinterpret_cast<Float4*>(to) = add ? *reinterpret_cast<Float4*>(to) + dots : dots;
    } else {
      *to = add ? *to + dots[0] : dots[0];
    }
  }
}

template <int kColumns>
SDFT_INLINE void dot_columns(const Bf16Product& x, int64_t i, int64_t last, int64_t j, int64_t begin,
                             int64_t end) {
  for (; i + 6 <= last; i += 6) dot_tile<6, kColumns>(x, i, j, begin, end);
  if (i + 4 <= last) dot_tile<4, kColumns>(x, i, j, begin, end), i += 4;
  if (i + 3 <= last) dot_tile<3, kColumns>(x, i, j, begin, end), i += 3;
  if (i + 2 <= last) dot_tile<2, kColumns>(x, i, j, begin, end), i += 2;
  if (i < last) dot_tile<1, kColumns>(x, i, j, begin, end);
}

// As run() in linear.h, with twice as many numbers in the same bytes.
SDFT_INLINE void multiply_dot(const Bf16Product& x, int64_t begin, int64_t end) {
  constexpr int64_t kDeep = 2 * kChunk;
  const int64_t wide = std::max<int64_t>(4, (int64_t{1} << 18) / x.k / 4 * 4);
  for (int64_t j0 = begin; j0 < end; j0 += wide) {
    const int64_t j1 = std::min(end, j0 + wide);
    for (int64_t p = 0; p < x.k; p += kDeep) {
      const int64_t stop = std::min(x.k, p + kDeep), tall = std::max<int64_t>(1, 12288 / (stop - p) / 6) * 6;
      for (int64_t i = 0; i < x.rows; i += tall) {
        const int64_t last = std::min(x.rows, i + tall);
        int64_t j = j0;
        for (; j + 4 <= j1; j += 4) dot_columns<4>(x, i, last, j, p, stop);
        for (; j < j1; ++j) dot_columns<1>(x, i, last, j, p, stop);
      }
    }
  }
}

[[maybe_unused]] void linear_dot(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw,
                                 int64_t begin, int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  multiply_dot({static_cast<const uint16_t*>(packed), w, rows, k, whole_registers(k), ldw, ldc, add, c},
               begin, end);
}

}  // namespace
}  // namespace sdft::cpu
