// The matrix product of inference: activations by weights as stored, without packing either. A weight row and
// an activation row both lie along k, so a tile of dot products is formed lane by lane and summed across
// lanes at its end. Every element's sum has one order, whatever the other rows and columns: a sequence's
// numbers do not depend on the batch that it is in. From 4 rows on this is as fast as a packing product,
// which needs hundreds to be so.
#pragma once

#include "tensor/cpu/simd.h"
#include "tensor/cpu/widen.h"

namespace sdft::cpu {
namespace {

constexpr int64_t kChunk = 512;  // of k: bounds what a tile reads, and the rounding of long sums

template <int kLanes>
struct Vector;
template <>
struct Vector<4> {
  using Type = Float4;
};
template <>
struct Vector<8> {
  using Type = Float8;
};
template <>
struct Vector<16> {
  using Type = Float16;
};

// The sums of a, b, c and d over their lanes.
SDFT_INLINE Float4 sums(Float4 a, Float4 b, Float4 c, Float4 d) {
  Float4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  Float4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

SDFT_INLINE Float4 sums(Float8 a, Float8 b, Float8 c, Float8 d) {
  Float8 ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
              __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  Float8 cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13) +
              __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  Float8 all = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) +
               __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
  return __builtin_shufflevector(all, all, 0, 1, 2, 3) + __builtin_shufflevector(all, all, 4, 5, 6, 7);
}

SDFT_INLINE Float4 sums(Float16 a, Float16 b, Float16 c, Float16 d) {
  Float16 ab = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
               __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  Float16 cd = __builtin_shufflevector(c, d, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
               __builtin_shufflevector(c, d, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  Float16 all = __builtin_shufflevector(ab, cd, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
                __builtin_shufflevector(ab, cd, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  Float8 half = __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7) +
                __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(half, half, 0, 1, 2, 3) + __builtin_shufflevector(half, half, 4, 5, 6, 7);
}

// Asks for what lies so many bytes on, into the second-level cache: the first level's few outstanding lines
// would hold the memory to less than half of what it gives, and so would a way much shorter than kAhead (12
// against 22 GB/s of one Zen 4 core).
constexpr int64_t kAhead = int64_t{16} << 10;
SDFT_INLINE void ask_for(const void* from, int64_t bytes) {
  __builtin_prefetch(static_cast<const char*>(from) + bytes, 0, 2);
}
template <typename W>
SDFT_INLINE void ask_ahead(const W* w) {
  ask_for(w, kAhead);
}

// kRows rows of a by kColumns (4 or 1) rows of w, over k numbers, added to or stored in c. ahead: rows of w
// further on are asked for, each line of the cache once.
template <int kLanes, int kRows, int kColumns, typename W>
SDFT_INLINE void tile(const float* a, int64_t lda, const W* w, int64_t ldw, int64_t k, bool add, float* c,
                      int64_t ldc, bool ahead) {
  using V = typename Vector<kLanes>::Type;
  V sum[kRows][4] = {};
  int64_t p = 0;
  auto multiply = [&](auto part) SDFT_LAMBDA_INLINE {
    constexpr int kCount = decltype(part)::value;
    constexpr int64_t kSteps = std::max<int64_t>(1, 64 / (kLanes * sizeof(W)));  // in a line
    if (ahead)
      for (int64_t j = p / kLanes % kSteps; j < kColumns; j += kSteps) ask_ahead(w + j * ldw + p);
    V column[kColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) column[j] = load<V, kCount>(w + j * ldw + p);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      V row = load<V, kCount>(a + i * lda + p);
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) sum[i][j] += row * column[j];
    }
    p += kCount;
  };
  while (p + kLanes <= k) multiply(std::integral_constant<int, kLanes>());
  if constexpr (kLanes > 8)
    if (p + 8 <= k) multiply(std::integral_constant<int, 8>());
  if constexpr (kLanes > 4)
    if (p + 4 <= k) multiply(std::integral_constant<int, 4>());
  while (p < k) multiply(std::integral_constant<int, 1>());
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    Float4 dots = sums(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
    float* to = c + i * ldc;
    if constexpr (kColumns == 4) {
      *reinterpret_cast<Float4*>(to) = add ? *reinterpret_cast<Float4*>(to) + dots : dots;
    } else {
      *to = add ? *to + dots[0] : dots[0];
    }
  }
}

template <typename W>
struct Product {
  const float* a;
  const W* w;
  int64_t rows, k, lda, ldw, ldc;
  bool add;
  float* c;
};

// kColumns columns from j on, rows [begin, end), numbers [p, p + depth) of k.
template <int kLanes, int kRows, int kColumns, typename W>
SDFT_INLINE void columns(const Product<W>& x, int64_t begin, int64_t end, int64_t j, int64_t p,
                         int64_t depth) {
  const W* w = x.w + j * x.ldw + p;
  const bool add = x.add || p > 0;
  int64_t i = begin;
  auto step = [&](auto rows) SDFT_LAMBDA_INLINE {
    constexpr int kCount = decltype(rows)::value;
    tile<kLanes, kCount, kColumns>(x.a + i * x.lda + p, x.lda, w, x.ldw, depth, add, x.c + i * x.ldc + j,
                                   x.ldc, i == 0);
    i += kCount;
  };
  while (i + kRows <= end) step(std::integral_constant<int, kRows>());
  if constexpr (kRows > 4)
    if (i + 4 <= end) step(std::integral_constant<int, 4>());
  if (i + 2 <= end) step(std::integral_constant<int, 2>());
  while (i < end) step(std::integral_constant<int, 1>());
}

template <int kLanes, int kRows, typename W>
SDFT_INLINE void run(const Product<W>& x, int64_t begin, int64_t end) {
  // Columns whose weights stay in the second-level cache, and rows whose numbers stay in the first, while
  // both are used.
  const int64_t wide = std::max<int64_t>(4, (int64_t{1} << 17) / x.k / 4 * 4);
  for (int64_t j0 = begin; j0 < end; j0 += wide) {
    const int64_t j1 = std::min(end, j0 + wide);
    for (int64_t p = 0; p < x.k; p += kChunk) {
      const int64_t depth = std::min(kChunk, x.k - p),
                    tall = std::max<int64_t>(1, 6144 / depth / kRows) * kRows;
      for (int64_t i = 0; i < x.rows; i += tall) {
        const int64_t last = std::min(x.rows, i + tall);
        int64_t j = j0;
        // One row comes fastest in one stream; with shorter registers its only sum would hold it up.
        if (x.rows > 1 || kLanes < 16)
          for (; j + 4 <= j1; j += 4) columns<kLanes, kRows, 4>(x, i, last, j, p, depth);
        for (; j < j1; ++j) columns<kLanes, kRows, 1>(x, i, last, j, p, depth);
      }
    }
  }
}

template <typename W>
SDFT_INLINE void multiply(const Product<W>& x, int64_t begin, int64_t end) {
  run<SDFT_VECTOR_LANES, SDFT_TILE_ROWS>(x, begin, end);
}

void linear(const float* a, int64_t lda, const float* w, int64_t ldw, int64_t rows, int64_t begin,
            int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  multiply<float>({a, w, rows, k, lda, ldw, ldc, add, c}, begin, end);
}

void linear_f16(const float* a, int64_t lda, const uint16_t* w, int64_t ldw, int64_t rows, int64_t begin,
                int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  multiply<F16>({a, reinterpret_cast<const F16*>(w), rows, k, lda, ldw, ldc, add, c}, begin, end);
}

void linear_bf16(const float* a, int64_t lda, const uint16_t* w, int64_t ldw, int64_t rows, int64_t begin,
                 int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  multiply<Bf16>({a, reinterpret_cast<const Bf16*>(w), rows, k, lda, ldw, ldc, add, c}, begin, end);
}

}  // namespace
}  // namespace sdft::cpu
