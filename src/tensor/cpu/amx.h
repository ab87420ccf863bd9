// The same products by tiles (AMX): 16 rows of 32 numbers of bf16 are multiplied with 32 by 16 in one
// instruction. A tile is read from weights as they lie in memory, so these are the first factor and what
// comes out is C^T, turned round on its way to memory. Sums have one order for each element.
#pragma once

#include "tensor/cpu/bf16_rows.h"

namespace sdft::cpu {
namespace {

constexpr int64_t kTile = 16;       // rows of a tile; columns of 32 bits
constexpr int64_t kTileDepth = 32;  // numbers of bf16 in a row
constexpr int64_t kTileSize = kTile * kTileDepth;

// What the instructions below read was written before them: GCC 12 is not told that they read memory.
SDFT_INLINE void memory_is_read() { __asm__ volatile("" ::: "memory"); }

// All eight tiles are 16 rows of 64 bytes; what is smaller is filled up with zeros.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// This thread's tiles until the end of the scope.
struct Tiles {
  Tiles() {
    static constexpr TileShapes kShapes;
    memory_is_read();
    _tile_loadconfig(&kShapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
};

SDFT_INLINE int64_t tiles(int64_t count, int64_t each) { return (count + each - 1) / each; }

// 16 by 16 numbers of 32 bits, turned round.
SDFT_INLINE void transpose_16(__m512i* x) {
  __m512i y[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
    y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xdd);
    y[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
    y[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
    x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xdd);
    x[i + 4] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0x88);
    x[i + 12] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0xdd);
  }
}

// The second factor of C^T = W A^T: rows of x 16 at a time, in tiles of [16 pairs of k, 16 rows, 2].
void pack_rows_tiles(const float* x, int64_t ldx, int64_t rows, int64_t k, void* to) {
  auto* packed = static_cast<uint16_t*>(to);
  const int64_t depth = tiles(k, kTileDepth);
  for (int64_t i = 0; i < rows; i += kTile)
    for (int64_t t = 0; t < depth; ++t, packed += kTileSize) {
      __m512i row[16];
      const int64_t count = std::min(kTile, rows - i);
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r)
        row[r] = r < count ? round_32(x + (i + r) * ldx + t * kTileDepth, k - t * kTileDepth)
                           : _mm512_setzero_si512();
      transpose_16(row);
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r) _mm512_storeu_si512(packed + r * kTileDepth, row[r]);
    }
}

// The first factor of C = A W: in tiles of [16 rows, 32 of k].
void pack_back_tiles(const float* x, int64_t ldx, int64_t rows, int64_t k, void* to) {
  auto* packed = static_cast<uint16_t*>(to);
  const int64_t depth = tiles(k, kTileDepth);
  for (int64_t i = 0; i < rows; i += kTile)
    for (int64_t t = 0; t < depth; ++t)
      for (int64_t r = 0; r < kTile; ++r, packed += kTileDepth)
        _mm512_storeu_si512(packed, i + r < rows
                                        ? round_32(x + (i + r) * ldx + t * kTileDepth, k - t * kTileDepth)
                                        : _mm512_setzero_si512());
}

// --- C = A W^T

// Tiles of weights beside one another in k: 16 rows `stride` numbers apart, and the last one of a row, whose
// missing numbers are zeros.
struct WeightStrip {
  const uint16_t* data;
  int64_t stride;        // in bytes
  const uint16_t* tail;  // null: the last tile is whole
};

// 16 W rows by 16 rows of A, to C: part of it where there are fewer of either.
SDFT_INLINE void store_turned(const float* tile, int64_t rows, int64_t columns, bool add, float* c,
                              int64_t ldc) {
  const auto mask = static_cast<__mmask16>((1u << columns) - 1);
  const auto put = [&](int64_t i, __m512 values) SDFT_LAMBDA_INLINE {
    float* to = c + i * ldc;
    if (add) values = _mm512_add_ps(values, _mm512_maskz_loadu_ps(mask, to));
    _mm512_mask_storeu_ps(to, mask, values);
  };
  if (rows <= 4) {
    const __m512i places = _mm512_mullo_epi32(
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(16));
    for (int64_t i = 0; i < rows; ++i) put(i, _mm512_i32gather_ps(places, tile + i, 4));
    return;
  }
  __m512i row[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) row[i] = _mm512_loadu_si512(tile + i * 16);
  transpose_16(row);
  if (rows == kTile) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) put(i, reinterpret_cast<__m512>(row[i]));
    return;
  }
  for (int64_t i = 0; i < rows; ++i) put(i, reinterpret_cast<__m512>(row[i]));
}

// Two strips of weights by two of A, or four by one: as many sums as there are tiles for.
template <int kStrips, int kRows>
SDFT_INLINE void multiply_tiles(const WeightStrip* w, const uint16_t* a, int64_t a_stride, int64_t depth,
                                int64_t ahead, float (*out)[256]) {
  static_assert(kStrips * kRows <= 4);
  memory_is_read();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t t = 0; t < depth; ++t) {
    const auto from = [&](int s) SDFT_LAMBDA_INLINE {
      return w[s].tail && t + 1 == depth ? w[s].tail : w[s].data + t * kTileDepth;
    };
    const auto stride = [&](int s) SDFT_LAMBDA_INLINE {
      return w[s].tail && t + 1 == depth ? int64_t{64} : w[s].stride;
    };
    if (ahead)
#pragma GCC unroll 4
      for (int s = 0; s < kStrips; ++s)
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r)
          __builtin_prefetch(
              reinterpret_cast<const char*>(w[s].data + t * kTileDepth) + ahead + r * w[s].stride, 0, 2);
    _tile_loadd(6, a + t * kTileSize, 64);
    _tile_loadd(4, from(0), stride(0));
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kRows == 2) {
      _tile_loadd(7, a + a_stride + t * kTileSize, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kStrips >= 2) {
      _tile_loadd(5, from(1), stride(1));
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kRows == 2) _tile_dpbf16ps(3, 5, 7);
    }
    if constexpr (kStrips == 4) {
      _tile_loadd(4, from(2), stride(2));
      _tile_dpbf16ps(1, 4, 6);
      _tile_loadd(5, from(3), stride(3));
      _tile_dpbf16ps(3, 5, 6);
    }
  }
  // out[strip * kRows + row]
  _tile_stored(0, out[0], 64);
  if constexpr (kStrips == 4) {
    _tile_stored(2, out[1], 64);
    _tile_stored(1, out[2], 64);
    _tile_stored(3, out[3], 64);
  } else {
    if constexpr (kRows == 2) _tile_stored(1, out[1], 64);
    if constexpr (kStrips == 2) _tile_stored(2, out[kRows], 64);
    if constexpr (kStrips == 2 && kRows == 2) _tile_stored(3, out[3], 64);
  }
}

struct TileProduct {
  const uint16_t* a;
  int64_t rows, depth;
  bool add;
  float* c;
  int64_t ldc;
};

// Strips of weights, whose first row is column j of C, by rows [begin, end) of A.
template <int kStrips>
SDFT_INLINE void multiply_strips(const TileProduct& x, const WeightStrip* w, int64_t columns, int64_t begin,
                                 int64_t end, int64_t j, int64_t ahead) {
  alignas(64) float out[4][256];
  const int64_t a_stride = x.depth * kTileSize;
  int64_t i = begin;
  const auto store = [&](int64_t first, int rows) SDFT_LAMBDA_INLINE {
    for (int s = 0; s < kStrips; ++s)
      for (int r = 0; r < rows; ++r)
        store_turned(out[s * rows + r], std::min(kTile, x.rows - first - r * kTile),
                     std::min(kTile, columns - s * kTile), x.add,
                     x.c + (first + r * kTile) * x.ldc + j + s * kTile, x.ldc);
  };
  if constexpr (kStrips <= 2)
    for (; i + kTile < end; i += 2 * kTile) {
      multiply_tiles<kStrips, 2>(w, x.a + i / kTile * a_stride, a_stride, x.depth, i == begin ? ahead : 0,
                                 out);
      store(i, 2);
    }
  for (; i < end; i += kTile) {
    multiply_tiles<kStrips, 1>(w, x.a + i / kTile * a_stride, a_stride, x.depth, i == begin ? ahead : 0, out);
    store(i, 1);
  }
}

void linear_tiles(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t begin,
                  int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  const Tiles configured;
  const TileProduct x{static_cast<const uint16_t*>(packed), rows, tiles(k, kTileDepth), add, c, ldc};
  // Rows of A that stay in the second-level cache while the weights pass by.
  const int64_t tall = std::max<int64_t>(2, (int64_t{1} << 20) / (x.depth * kTileSize * 2) / 2 * 2) * kTile;
  alignas(64) uint16_t tails[4][kTileSize];
  for (int64_t i = 0; i < rows; i += tall) {
    const int64_t last = std::min(rows, i + tall);
    const int64_t wide = last - i <= kTile ? 4 : 2;
    for (int64_t j = begin; j < end; j += wide * kTile) {
      const int64_t columns = std::min(wide * kTile, end - j), strips = tiles(columns, kTile);
      WeightStrip strip[4];
      uint16_t* copy = nullptr;
      for (int64_t s = 0; s < strips; ++s) {
        const uint16_t* from = w + (j + s * kTile) * ldw;
        const int64_t there = std::min(kTile, columns - s * kTile);
        if (there < kTile) {  // missing rows are zeros
          const int64_t ld = x.depth * kTileDepth;
          copy = reinterpret_cast<uint16_t*>(scratch(0, static_cast<size_t>(ld * kTile / 2)));
          for (int64_t r = 0; r < kTile; ++r)
            for (int64_t p = 0; p < ld; p += kTileDepth)
              _mm512_storeu_si512(copy + r * ld + p, r < there && p < k ? load_32(from + r * ldw + p, k - p)
                                                                        : _mm512_setzero_si512());
          strip[s] = {copy, ld * 2, nullptr};
          continue;
        }
        strip[s] = {from, ldw * 2, nullptr};
        if (k % kTileDepth == 0) continue;
        for (int64_t r = 0; r < kTile; ++r)
          _mm512_store_si512(tails[s] + r * kTileDepth,
                             load_32(from + r * ldw + k / kTileDepth * kTileDepth, k % kTileDepth));
        strip[s].tail = tails[s];
      }
      const int64_t ahead = j + 2 * wide * kTile <= end ? wide * kTile * ldw * 2 : 0;
      if (strips == 4)
        multiply_strips<4>(x, strip, columns, i, last, j, ahead);
      else if (strips == 1)
        multiply_strips<1>(x, strip, columns, i, last, j, 0);
      else {
        multiply_strips<2>(x, strip, columns, i, last, j, ahead);
        if (strips == 3) multiply_strips<1>(x, strip + 2, columns - 2 * kTile, i, last, j + 2 * kTile, 0);
      }
    }
  }
}

// --- C = A W

// Where a tile of sums comes from and goes to: C itself, or `edge` where C has fewer rows or columns.
struct SumTile {
  float* c;
  int64_t ldc, rows, columns;
  float* at;
  int64_t stride;  // in bytes
};

SDFT_INLINE SumTile sum_tile(float* c, int64_t ldc, int64_t rows, int64_t columns, float* edge) {
  rows = std::max<int64_t>(0, std::min(kTile, rows));
  columns = std::max<int64_t>(0, std::min(kTile, columns));
  const bool whole = rows == kTile && columns == kTile;
  return {c, ldc, rows, columns, whole ? c : edge, whole ? ldc * 4 : 64};
}

SDFT_INLINE void copy_edge(const SumTile& x, bool back) {
  if (x.at == x.c) return;
  for (int64_t i = 0; i < x.rows; ++i)
    if (back)
      std::copy_n(x.at + i * kTile, x.columns, x.c + i * x.ldc);
    else
      std::copy_n(x.c + i * x.ldc, x.columns, x.at + i * kTile);
}

// Two tiles of rows of A by a strip of 32 columns; the second may have no rows.
SDFT_INLINE void multiply_back(const uint16_t* a, int64_t a_stride, const uint16_t* strip, int64_t depth,
                               bool add, const SumTile* sums) {
  const bool both = sums[2].rows > 0;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  if (add)
    for (int i = 0; i < 4; ++i) copy_edge(sums[i], false);
  memory_is_read();
  if (add) {
    _tile_loadd(0, sums[0].at, sums[0].stride);
    _tile_loadd(1, sums[1].at, sums[1].stride);
    if (both) {
      _tile_loadd(2, sums[2].at, sums[2].stride);
      _tile_loadd(3, sums[3].at, sums[3].stride);
    }
  }
  for (int64_t t = 0; t < depth; ++t, strip += 2 * kTileSize) {
    _tile_loadd(4, a + t * kTileSize, 64);
    _tile_loadd(6, strip, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, strip + kTileDepth, 128);
    _tile_dpbf16ps(1, 4, 7);
    if (!both) continue;
    _tile_loadd(5, a + a_stride + t * kTileSize, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums[0].at, sums[0].stride);
  _tile_stored(1, sums[1].at, sums[1].stride);
  if (both) {
    _tile_stored(2, sums[2].at, sums[2].stride);
    _tile_stored(3, sums[3].at, sums[3].stride);
  }
  for (int i = 0; i < 4; ++i) copy_edge(sums[i], true);
}

void linear_back_tiles(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                       int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  const Tiles configured;
  const int64_t a_stride = tiles(n, kTileDepth) * kTileSize;
  alignas(64) float edges[4][kTile * kTile] = {};
  auto* strip = reinterpret_cast<uint16_t*>(scratch(0, kStripRows * kStripColumns / 2));
  for (int64_t first = 0; first < n; first += kStripRows) {
    const int64_t last = std::min(n, first + kStripRows), depth = tiles(last - first, kTileDepth);
    const uint16_t* a = static_cast<const uint16_t*>(packed) + first / kTileDepth * kTileSize;
    for (int64_t j = begin; j < end; j += kStripColumns) {
      const int64_t columns = std::min(kStripColumns, end - j), pairs = (last - first + 1) / 2;
      interleave_strip(w, ldw, first, last, j, columns, strip);
      std::fill(strip + pairs * 2 * kStripColumns, strip + depth * kTile * 2 * kStripColumns, uint16_t{0});
      for (int64_t i = 0; i < rows; i += 2 * kTile) {
        SumTile sums[4];
        for (int64_t s = 0; s < 4; ++s) {
          const int64_t row = i + s / 2 * kTile, column = s % 2 * kTile;
          sums[s] = sum_tile(c + row * ldc + j + column, ldc, rows - row, columns - column, edges[s]);
        }
        multiply_back(a + i / kTile * a_stride, a_stride, strip, depth, add || first > 0, sums);
      }
    }
  }
}

}  // namespace
}  // namespace sdft::cpu
