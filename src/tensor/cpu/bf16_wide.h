// Matrix products of numbers rounded to bf16 by multiply-adds of f32, which every processor has and Intel's
// do four of while they do one of their instruction for pairs (bf16.h). A product of two such numbers is
// exact in f32, and of each pair the odd one is added first: the bits of that instruction.
#pragma once

#include "tensor/cpu/small_gemm.h"

namespace sdft::cpu {
namespace {

constexpr int kWideLanes = SDFT_VECTOR_LANES;
constexpr int64_t kWideStep = 2 * kWideLanes;  // numbers whose odd and even ones fill a register each
using WideVector = Vector<kWideLanes>::Type;
typedef uint32_t PairVector __attribute__((vector_size(SDFT_VECTOR_LANES * 4), aligned(2), may_alias));

SDFT_INLINE int64_t whole_steps(int64_t count) { return (count + kWideStep - 1) / kWideStep * kWideStep; }

SDFT_INLINE WideVector odd_numbers(const uint16_t* x) {
  return reinterpret_cast<WideVector>(*reinterpret_cast<const PairVector*>(x) & 0xffff0000u);
}
SDFT_INLINE WideVector even_numbers(const uint16_t* x) {
  return reinterpret_cast<WideVector>(*reinterpret_cast<const PairVector*>(x) << 16);
}
// Of numbers that were widened, a step's odd ones before its even ones.
SDFT_INLINE WideVector odd_numbers(const float* x) { return *reinterpret_cast<const WideVector*>(x); }
SDFT_INLINE WideVector even_numbers(const float* x) {
  return *reinterpret_cast<const WideVector*>(x + kWideLanes);
}

// y, filled up with zeros to a whole step.
SDFT_INLINE void widen_steps(const uint16_t* x, int64_t count, float* y) {
  const auto step = [&](const uint16_t* from, int64_t p) SDFT_LAMBDA_INLINE {
    *reinterpret_cast<WideVector*>(y + p) = odd_numbers(from);
    *reinterpret_cast<WideVector*>(y + p + kWideLanes) = even_numbers(from);
  };
  int64_t p = 0;
  for (; p + kWideStep <= count; p += kWideStep) {
    ask_ahead(x + p);
    step(x + p, p);
  }
  if (p == count) return;
  uint16_t rest[kWideStep] = {};
  std::copy(x + p, x + count, rest);
  step(rest, p);
}

// Rounded, in steps.
void pack_rows_wide(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed) {
  const int64_t ld = packed_width(k);
  auto* y = static_cast<float*>(packed);
  auto* line = reinterpret_cast<uint16_t*>(scratch(0, static_cast<size_t>(k)));
  for (int64_t i = 0; i < rows; ++i, x += ldx, y += ld) {
    round_bf16(x, k, line);
    widen_steps(line, k, y);
    std::fill(y + whole_steps(k), y + ld, 0.0f);
  }
}

// kRows rows of a by kColumns (4 or 1) rows of w, both of whole steps.
template <int kRows, int kColumns, typename W>
SDFT_INLINE void wide_tile(const float* a, int64_t lda, const W* w, int64_t ldw, int64_t depth, bool add,
                           float* c, int64_t ldc, bool ahead) {
  WideVector sum[kRows][4] = {};
  for (int64_t p = 0; p < depth; p += kWideStep) {
    if (ahead)
      for (int l = 0; l < kColumns; ++l) ask_ahead(w + l * ldw + p);
    WideVector column[kColumns];
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) column[l] = odd_numbers(w + l * ldw + p);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int l = 0; l < kColumns; ++l) sum[r][l] += odd_numbers(a + r * lda + p) * column[l];
#pragma GCC unroll 4
    for (int l = 0; l < kColumns; ++l) column[l] = even_numbers(w + l * ldw + p);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int l = 0; l < kColumns; ++l) sum[r][l] += even_numbers(a + r * lda + p) * column[l];
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const Float4 dots = sums(sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
    float* to = c + r * ldc;
    if constexpr (kColumns == 4) {
      *reinterpret_cast<Float4*>(to) = add ? *reinterpret_cast<Float4*>(to) + dots : dots;
    } else {
      *to = add ? *to + dots[0] : dots[0];
    }
  }
}

// C[rows, count] of A [rows, depth] and some rows of W.
template <typename W>
SDFT_INLINE void wide_block(const float* a, int64_t lda, int64_t rows, const W* w, int64_t ldw, int64_t count,
                            int64_t depth, bool add, float* c, int64_t ldc) {
  int64_t i = 0;
  const auto step = [&](auto some) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(some)::value;
    const bool ahead = i == 0 && std::is_same_v<W, uint16_t>;
    int64_t j = 0;
    for (; j + 4 <= count; j += 4)
      wide_tile<kRows, 4>(a + i * lda, lda, w + j * ldw, ldw, depth, add, c + i * ldc + j, ldc, ahead);
    for (; j < count; ++j)
      wide_tile<kRows, 1>(a + i * lda, lda, w + j * ldw, ldw, depth, add, c + i * ldc + j, ldc, ahead);
    i += kRows;
  };
  while (i + SDFT_TILE_ROWS <= rows) step(std::integral_constant<int, SDFT_TILE_ROWS>());
  if constexpr (SDFT_TILE_ROWS > 4)
    if (i + 4 <= rows) step(std::integral_constant<int, 4>());
  if (i + 2 <= rows) step(std::integral_constant<int, 2>());
  while (i < rows) step(std::integral_constant<int, 1>());
}

// In chunks of k, as linear_dot. Few rows meet W as it lies; for more of them four rows of W at a time are
// widened first, into the first-level cache.
void linear_wide(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t begin, int64_t end,
                 int64_t k, bool add, float* c, int64_t ldc) {
  constexpr int64_t kDeep = 2 * kChunk, kFewRows = 12, kWide = 4;
  const int64_t lda = packed_width(k);
  for (int64_t p = 0; p < k; p += kDeep) {
    const float* a = static_cast<const float*>(packed) + p;
    const int64_t part = std::min(kDeep, k - p), depth = whole_steps(part);
    const bool onto = add || p > 0;
    if (rows < kFewRows && part == depth) {
      wide_block(a, lda, rows, w + begin * ldw + p, ldw, end - begin, depth, onto, c + begin, ldc);
      continue;
    }
    // Rows that stay in the second-level cache while W goes by.
    const int64_t tall = std::max<int64_t>(1, 131072 / depth / SDFT_TILE_ROWS) * SDFT_TILE_ROWS;
    float* columns = scratch(1, static_cast<size_t>(kWide * depth));
    for (int64_t i = 0; i < rows; i += tall)
      for (int64_t j = begin; j < end; j += kWide) {
        const int64_t count = std::min(kWide, end - j);
        for (int64_t l = 0; l < count; ++l) widen_steps(w + (j + l) * ldw + p, part, columns + l * depth);
        wide_block(a + i * lda, lda, std::min(tall, rows - i), columns, depth, count, depth, onto,
                   c + i * ldc + j, ldc);
      }
  }
}

// --- C = A W: sums run over pairs of W's rows, whose order is turned round in A and W

// Where number p of a row stands.
SDFT_INLINE int64_t turned(int64_t p, int64_t count) { return (p ^ 1) < count ? p ^ 1 : p; }

void pack_back_wide(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed) {
  const int64_t ld = packed_width(k);
  auto* y = static_cast<float*>(packed);
  float* line = scratch(0, static_cast<size_t>(k));
  for (int64_t i = 0; i < rows; ++i, x += ldx, y += ld) {
    round_each(x, k, line);
    for (int64_t p = 0; p < k; ++p) y[turned(p, k)] = line[p];
  }
}

void linear_back_wide(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                      int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  constexpr int64_t kDeep = 512, kTall = 96, kColumns = 2 * kWideLanes;  // kDeep: even
  const int64_t lda = packed_width(n);
  float* strip = scratch(1, kDeep * kColumns);
  for (int64_t first = 0; first < n; first += kDeep) {
    const int64_t depth = std::min(kDeep, n - first);
    const float* a = static_cast<const float*>(packed) + first;
    for (int64_t i = 0; i < rows; i += kTall)
      for (int64_t j = begin; j < end; j += kColumns) {
        const int64_t columns = std::min(kColumns, end - j);
        for (int64_t p = 0; p < depth; ++p)
          widen_all(reinterpret_cast<const Bf16*>(w + (first + p) * ldw + j), columns,
                    strip + turned(p, depth) * kColumns);
        small_gemm(a + i * lda, lda, 1, strip, kColumns, std::min(kTall, rows - i), columns, depth,
                   add || first > 0, c + i * ldc + j, ldc);
      }
  }
}

}  // namespace
}  // namespace sdft::cpu
