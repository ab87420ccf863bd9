// What a block of queries is multiplied with: one head's keys and values, laid out so that sums run down
// columns and never across lanes.
#pragma once

#include "tensor/cpu/small_gemm.h"

namespace sdft::cpu {
namespace {

SDFT_INLINE float widen(float x) { return x; }

// y[d][row] = x[row][d], rows of y filled up with zeros to ld.
template <typename T>
SDFT_INLINE void transpose(const T* x, int64_t rows, int64_t stride, int64_t width, int64_t ld, float* y) {
  constexpr int64_t kRows = 16;  // whose lines stay in the first-level cache
  std::fill(y, y + ld * width, 0.0f);
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t end = std::min(rows, first + kRows);
    for (int64_t d = 0; d < width; ++d)
      for (int64_t row = first; row < end; ++row) y[d * ld + row] = widen(x[row * stride + d]);
  }
}

// Some rows of one head's queries, or of the gradients of its results.
struct QueryRows {
  const float* x;
  int64_t stride, rows;
};

enum class Direction { kForward, kBackward };

// Keys and values of T. Beside bf16 all other factors are rounded to it, too: queries here, weights by the
// caller through factor().
template <typename T>
class BlockProducts {
 public:
  BlockProducts(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head, Direction direction)
      : width_(shape.head_dim), ld_((s.kv_len + kKeyLanes - 1) / kKeyLanes * kKeyLanes) {
    const bool back = direction == Direction::kBackward;
    const T* k = static_cast<const T*>(s.k) + kv_head * shape.head_stride;
    const T* v = static_cast<const T*>(s.v) + kv_head * shape.head_stride;
    float* across = scratch(0, static_cast<size_t>((back ? 2 : 1) * ld_ * width_));
    transpose(k, s.kv_len, shape.token_stride, width_, ld_, across);
    if (back) transpose(v, s.kv_len, shape.token_stride, width_, ld_, across + ld_ * width_);
    keys_across_ = across;
    values_across_ = across + ld_ * width_;
    set_rows(back ? k : v, s.kv_len, shape.token_stride);
  }

  int64_t ld() const { return ld_; }  // between rows of scores

  // What a weight has to be to be multiplied.
  static SDFT_INLINE float factor(float weight) {
    if constexpr (kRounds) return rounded_to_bf16(weight);
    return weight;
  }

  // y [rows, ld] = Q K^T, and dO V^T, of the first `count` keys.
  void multiply_keys(const QueryRows& q, int64_t count, float* y) const {
    multiply(q, keys_across_, count, y);
  }
  void multiply_values(const QueryRows& dout, int64_t count, float* y) const {
    multiply(dout, values_across_, count, y);
  }

  // y [rows, D] = P V forward, dS K backward, of weights p [rows, ld] of the first `count` keys.
  void weigh(const float* p, int64_t rows, int64_t count, float* y, int64_t ldy) const {
    small_gemm(p, ld_, 1, rows_, stride_, rows, width_, count, false, y, ldy);
  }

  // y [count, D] += P^T X.
  void add_transposed(const float* p, int64_t count, const QueryRows& x, float* y, int64_t ldy) const {
    const QueryRows factors = as_factors(x);
    small_gemm(p, 1, ld_, factors.x, factors.stride, count, width_, x.rows, true, y, ldy);
  }

 private:
  static constexpr bool kRounds = std::is_same_v<T, Bf16>;

  void set_rows(const T* x, int64_t rows, int64_t stride) {
    if constexpr (kRounds) {
      float* y = scratch(4, static_cast<size_t>(rows * width_));
      for (int64_t i = 0; i < rows; ++i) widen_all(x + i * stride, width_, y + i * width_);
      rows_ = y, stride_ = width_;
    } else {
      rows_ = x, stride_ = stride;
    }
  }

  QueryRows as_factors(const QueryRows& q) const {
    if constexpr (!kRounds) return q;
    float* y = scratch(5, static_cast<size_t>(q.rows * width_));
    for (int64_t i = 0; i < q.rows; ++i) round_each(q.x + i * q.stride, width_, y + i * width_);
    return {y, width_, q.rows};
  }

  void multiply(const QueryRows& q, const float* across, int64_t count, float* y) const {
    const QueryRows factors = as_factors(q);
    const int64_t padded = (count + kKeyLanes - 1) / kKeyLanes * kKeyLanes;
    small_gemm(factors.x, factors.stride, 1, across, ld_, q.rows, padded, width_, false, y, ld_);
  }

  int64_t width_, ld_, stride_;
  const float *keys_across_, *values_across_;  // [D, ld]
  const float* rows_;                          // values [kv_len, D] forward, keys backward
};

}  // namespace
}  // namespace sdft::cpu
