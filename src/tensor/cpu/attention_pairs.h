// BlockProducts of keys and values in bf16 by the instruction that multiplies pairs, where it is faster than
// multiply-adds of f32: AMD's processors do as many of either, Intel's a quarter.
#pragma once

#include "tensor/cpu/attention_products.h"
#include "tensor/cpu/bf16.h"
#include "tensor/cpu/bf16_pairs.h"

namespace sdft::cpu {
namespace {

// B of bf16_pairs.h: strips of 32 columns, [strips, pairs, 32] pairs.
struct PairStrips {
  const uint16_t* data;
  int64_t pairs;

  const uint16_t* strip(int64_t column) const { return data + column * 2 * pairs; }
};

SDFT_INLINE int64_t strips_size(int64_t columns, int64_t depth) {
  return whole_registers(columns) * 2 * ((depth + 1) / 2);
}

// x [depth, columns] as it is.
SDFT_INLINE PairStrips strips_of(const uint16_t* x, int64_t stride, int64_t depth, int64_t columns,
                                 uint16_t* y) {
  const PairStrips strips{y, (depth + 1) / 2};
  for (int64_t j = 0; j < columns; j += kStripColumns)
    interleave_strip(x, stride, 0, depth, j, std::min(kStripColumns, columns - j), y + j * 2 * strips.pairs);
  return strips;
}

// x^T of x [columns, depth]; `line` has room for 16 rows.
SDFT_INLINE PairStrips strips_across(const uint16_t* x, int64_t stride, int64_t columns, int64_t depth,
                                     uint16_t* line, uint16_t* y) {
  const PairStrips strips{y, (depth + 1) / 2};
  const int64_t ld = whole_registers(depth);
  const __m512i lanes =
      _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                         _mm512_set1_epi32(static_cast<int>(ld / 2)));
  for (int64_t first = 0; first < whole_registers(columns); first += 16) {
    for (int64_t row = first; row < first + 16; ++row)
      for (int64_t d = 0; d < ld; d += kPairLanes)
        _mm512_storeu_si512(line + (row - first) * ld + d, row < columns
                                                               ? load_32(x + row * stride + d, depth - d)
                                                               : _mm512_setzero_si512());
    uint16_t* to = y + 2 * (first / kStripColumns * kStripColumns * strips.pairs + first % kStripColumns);
    for (int64_t p = 0; p < strips.pairs; ++p)
      _mm512_storeu_si512(to + p * 2 * kStripColumns, _mm512_i32gather_epi32(lanes, line + 2 * p, 4));
  }
  return strips;
}

class PairProducts {
 public:
  PairProducts(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head, Direction direction)
      : width_(shape.head_dim), ld_(whole_registers(s.kv_len)) {
    const bool back = direction == Direction::kBackward;
    const int64_t stride = shape.token_stride, across = strips_size(s.kv_len, width_),
                  along = strips_size(width_, s.kv_len);
    const auto* k = static_cast<const uint16_t*>(s.k) + kv_head * shape.head_stride;
    const auto* v = static_cast<const uint16_t*>(s.v) + kv_head * shape.head_stride;
    uint16_t *to = numbers(0, along + (back ? 2 : 1) * across),
             *line = numbers(4, 16 * whole_registers(width_));
    rows_ = strips_of(back ? k : v, stride, s.kv_len, width_, to);
    keys_across_ = strips_across(k, stride, s.kv_len, width_, line, to + along);
    if (back) values_across_ = strips_across(v, stride, s.kv_len, width_, line, to + along + across);
  }

  int64_t ld() const { return ld_; }
  static float factor(float weight) { return weight; }  // it is rounded on its way into pairs

  void multiply_keys(const QueryRows& q, int64_t count, float* y) const {
    multiply(q, keys_across_, count, y);
  }
  void multiply_values(const QueryRows& dout, int64_t count, float* y) const {
    multiply(dout, values_across_, count, y);
  }

  void weigh(const float* p, int64_t rows, int64_t count, float* y, int64_t ldy) const {
    const PairRows weights = pairs_of(packed(4, {p, ld_, rows}, count), whole_registers(count));
    multiply_strips(weights, rows, rows_, (count + 1) / 2, false, y, ldy);
  }

  void add_transposed(const float* p, int64_t count, const QueryRows& x, float* y, int64_t ldy) const {
    const int64_t pairs = (x.rows + 1) / 2, ldp = whole_registers(count);
    uint16_t* by_query = numbers(5, 2 * pairs * ldp + strips_size(width_, x.rows));  // [pairs, count] pairs
    const uint16_t* weights = packed(4, {p, ld_, x.rows}, count);
    for (int64_t j = 0; j < count; j += kStripColumns)
      interleave_strip(weights, ldp, 0, x.rows, j, kStripColumns, by_query + 2 * j, 2 * ldp);
    const PairStrips strips =
        strips_of(packed(4, x, width_), whole_registers(width_), x.rows, width_, by_query + 2 * pairs * ldp);
    multiply_strips({reinterpret_cast<const Pair*>(by_query), 1, ldp}, count, strips, pairs, true, y, ldy);
  }

 private:
  static uint16_t* numbers(int slot, int64_t count) {
    return reinterpret_cast<uint16_t*>(scratch(slot, static_cast<size_t>((count + 1) / 2)));
  }

  // The first `count` numbers of each row, rounded.
  static const uint16_t* packed(int slot, const QueryRows& x, int64_t count) {
    uint16_t* y = numbers(slot, x.rows * whole_registers(count));
    pack_rows_dot(x.x, x.stride, x.rows, count, y);
    return y;
  }

  void multiply(const QueryRows& q, const PairStrips& across, int64_t count, float* y) const {
    const PairRows rows = pairs_of(packed(4, q, width_), whole_registers(width_));
    for (int64_t j = 0; j < count; j += kStripColumns)
      multiply_strip(rows, q.rows, across.strip(j), across.pairs, false, y + j, ld_, kStripColumns);
  }

  void multiply_strips(const PairRows& a, int64_t rows, const PairStrips& b, int64_t pairs, bool add,
                       float* y, int64_t ldy) const {
    for (int64_t j = 0; j < width_; j += kStripColumns)
      multiply_strip(a, rows, b.strip(j), pairs, add, y + j, ldy, std::min(kStripColumns, width_ - j));
  }

  int64_t width_, ld_;
  PairStrips keys_across_, values_across_{};
  PairStrips rows_;  // values forward, keys backward
};

}  // namespace
}  // namespace sdft::cpu
