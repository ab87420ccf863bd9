// C = A B with sums that run down B's columns, one after the other: for factors that are in the cache.
#pragma once

#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

constexpr int kKeyLanes = SDFT_VECTOR_LANES;
using KeyVector = Vector<kKeyLanes>::Type;

// C[rows, n] (+)= A[rows, k] B[k, n], element A(i, p) at a[i * a_row + p * a_col]: transposed A at no cost.
template <int kRows, int kWide>
SDFT_INLINE void small_gemm_tile(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb,
                                 int64_t k, bool add, float* c, int64_t ldc) {
  KeyVector sum[kRows][kWide];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int l = 0; l < kWide; ++l)
      sum[i][l] = add ? *reinterpret_cast<const KeyVector*>(c + i * ldc + l * kKeyLanes) : KeyVector{};
  for (int64_t p = 0; p < k; ++p) {
    KeyVector row[kWide];
#pragma GCC unroll 2
    for (int l = 0; l < kWide; ++l) row[l] = *reinterpret_cast<const KeyVector*>(b + p * ldb + l * kKeyLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int l = 0; l < kWide; ++l) sum[i][l] += a[i * a_row + p * a_col] * row[l];
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int l = 0; l < kWide; ++l) *reinterpret_cast<KeyVector*>(c + i * ldc + l * kKeyLanes) = sum[i][l];
}

template <int kRows>
SDFT_INLINE void small_gemm_rows(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb,
                                 int64_t n, int64_t k, bool add, float* c, int64_t ldc) {
  int64_t j = 0;
  for (; j + 2 * kKeyLanes <= n; j += 2 * kKeyLanes)
    small_gemm_tile<kRows, 2>(a, a_row, a_col, b + j, ldb, k, add, c + j, ldc);
  for (; j + kKeyLanes <= n; j += kKeyLanes)
    small_gemm_tile<kRows, 1>(a, a_row, a_col, b + j, ldb, k, add, c + j, ldc);
  if (j == n) return;
  for (int i = 0; i < kRows; ++i) {
    float* row = c + i * ldc;
    if (!add) std::fill(row + j, row + n, 0.0f);
    for (int64_t p = 0; p < k; ++p) {
      float factor = a[i * a_row + p * a_col];
      for (int64_t l = j; l < n; ++l) row[l] += factor * b[p * ldb + l];
    }
  }
}

SDFT_INLINE void small_gemm(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb,
                            int64_t m, int64_t n, int64_t k, bool add, float* c, int64_t ldc) {
  int64_t i = 0;
  const auto rows = [&](auto count) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(count)::value;
    small_gemm_rows<kRows>(a + i * a_row, a_row, a_col, b, ldb, n, k, add, c + i * ldc, ldc);
    i += kRows;
  };
  if constexpr (kKeyLanes == 16)
    while (i + 8 <= m) rows(std::integral_constant<int, 8>());
  while (i + 4 <= m) rows(std::integral_constant<int, 4>());
  while (i < m) rows(std::integral_constant<int, 1>());
}

}  // namespace
}  // namespace sdft::cpu
