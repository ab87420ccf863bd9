// BlockProducts of keys and values in bf16 by tiles (AMX).
#pragma once

#include "tensor/cpu/amx.h"
#include "tensor/cpu/attention_products.h"
#include "tensor/cpu/bf16.h"

namespace sdft::cpu {
namespace {

// Tiles of x^T [count, 32], rounded, of x [rows <= 32, count].
SDFT_INLINE void pack_turned(const float* x, int64_t ldx, int64_t rows, int64_t count, uint16_t* to) {
  for (int64_t j = 0; j < count; j += kTile) {
    const __mmask16 mask = first_lanes(count - j);
    __m512i low[16], high[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) {
      const auto row = [&](int64_t i) SDFT_LAMBDA_INLINE {
        return reinterpret_cast<__m512i>(i < rows ? _mm512_maskz_loadu_ps(mask, x + i * ldx + j)
                                                  : _mm512_setzero_ps());
      };
      low[r] = row(r);
      high[r] = row(r + kTile);
    }
    transpose_16(low);
    transpose_16(high);
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r, to += kTileDepth)
      _mm512_storeu_si512(to, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(
                                  reinterpret_cast<__m512>(high[r]), reinterpret_cast<__m512>(low[r]))));
  }
}

class TileProducts {
 public:
  TileProducts(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head, Direction direction)
      : width_(shape.head_dim), ld_(whole_registers(s.kv_len)), depth_(tiles(width_, kTileDepth)) {
    const bool back = direction == Direction::kBackward;
    const int64_t stride = shape.token_stride, across = ld_ * depth_ * kTileDepth,
                  along = whole_registers(width_) * ld_;
    const auto* k = static_cast<const uint16_t*>(s.k) + kv_head * shape.head_stride;
    const auto* v = static_cast<const uint16_t*>(s.v) + kv_head * shape.head_stride;
    rows_ = numbers(0, along + (back ? 2 : 1) * across);
    keys_across_ = rows_ + along;
    values_across_ = keys_across_ + across;
    interleave_strips(back ? k : v, stride, s.kv_len, 0, width_, rows_);
    turn_strips(k, stride, width_, 0, s.kv_len, keys_across_);
    if (back) turn_strips(v, stride, width_, 0, s.kv_len, values_across_);
  }

  int64_t ld() const { return ld_; }
  static float factor(float weight) { return weight; }  // it is rounded on its way into tiles

  void multiply_keys(const QueryRows& q, int64_t count, float* y) const {
    multiply(q, keys_across_, count, y);
  }
  void multiply_values(const QueryRows& dout, int64_t count, float* y) const {
    multiply(dout, values_across_, count, y);
  }

  void weigh(const float* p, int64_t rows, int64_t count, float* y, int64_t ldy) const {
    const int64_t depth = tiles(count, kTileDepth);
    uint16_t* weights = numbers(4, 2 * kTileSize * depth);
    pack_back_tiles(p, ld_, rows, count, weights);
    product({weights, rows_, depth, ld_ * kStripColumns}, rows, width_, false, y, ldy);
  }

  void add_transposed(const float* p, int64_t count, const QueryRows& x, float* y, int64_t ldy) const {
    const int64_t line = whole_registers(width_);
    uint16_t* weights = numbers(4, whole_registers(count) * kTileDepth + 2 * line * kTileDepth);
    uint16_t *factors = weights + whole_registers(count) * kTileDepth, *rounded = factors + line * kTileDepth;
    pack_turned(p, ld_, x.rows, count, weights);
    pack_rows_dot(x.x, x.stride, x.rows, width_, rounded);
    interleave_strips(rounded, line, x.rows, 0, width_, factors);
    product({weights, factors, 1, 2 * kTileSize}, count, width_, true, y, ldy);
  }

 private:
  static uint16_t* numbers(int slot, int64_t count) {
    return reinterpret_cast<uint16_t*>(scratch(slot, static_cast<size_t>((count + 1) / 2)));
  }

  static void product(const TileFactors& x, int64_t rows, int64_t columns, bool add, float* y, int64_t ldy) {
    Ahead nothing{};
    multiply_all(x, rows, columns, add, y, ldy, &nothing);
  }

  // y has room for whole tiles.
  void multiply(const QueryRows& q, const uint16_t* across, int64_t count, float* y) const {
    uint16_t* rows = numbers(4, 2 * kTileSize * depth_);
    pack_back_tiles(q.x, q.stride, q.rows, width_, rows);
    product({rows, across, depth_, 2 * depth_ * kTileSize}, tiles(q.rows, kTile) * kTile,
            whole_registers(count), false, y, ld_);
  }

  const Tiles configured_;
  int64_t width_, ld_, depth_;
  uint16_t *rows_, *keys_across_, *values_across_;  // strips; rows_: of values forward, of keys backward
};

}  // namespace
}  // namespace sdft::cpu
