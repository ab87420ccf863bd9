// The same products by tiles (AMX): 16 rows of 32 numbers of bf16 are multiplied with 32 by 16 in one
// instruction. Of few rows the weights are the first factor, as they lie in memory, and what comes out is
// C^T, turned round on its way there; of many the weights are turned round. Sums have one order for each
// element.
#pragma once

#include "tensor/cpu/bf16_rows.h"

namespace sdft::cpu {
namespace {

constexpr int64_t kTile = 16;       // rows of a tile; columns of 32 bits
constexpr int64_t kTileDepth = 32;  // numbers of bf16 in a row
constexpr int64_t kTileSize = kTile * kTileDepth;
constexpr int64_t kTurnedRows = 128;  // of A: up to so many, C^T is made

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

// --- C = A W^T, few rows: C^T = W A^T, turned round on its way to memory

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

// Tiles of rows of W, as they lie in memory, by tiles of rows of A; so many lines from `next` on are asked
// for at each step.
struct TurnedTiles {
  const uint16_t* w;
  int64_t w_stride;  // bytes from row to row
  const uint16_t* a;
  int64_t a_stride;  // numbers from tile to tile
  int64_t depth;
  const char* next;
  int64_t lines;
};

// out[kRows * tile of W + tile of A]: W A^T.
template <int kTiles, int kRows>
SDFT_INLINE void multiply_turned(const TurnedTiles& x, float (*out)[256]) {
  const uint16_t *w = x.w, *a = x.a;
  const char* next = x.next;
  memory_is_read();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t t = 0; t < x.depth; ++t, w += kTileDepth, a += kTileSize) {
    for (int64_t line = 0; line < x.lines; ++line, next += 64) __builtin_prefetch(next, 0, 2);
    _tile_loadd(4, w, x.w_stride);
    _tile_loadd(6, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kRows == 2) {
      _tile_loadd(7, a + x.a_stride, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTiles == 2) {
      _tile_loadd(5, reinterpret_cast<const char*>(w) + kTile * x.w_stride, x.w_stride);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kRows == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, out[0], 64);
  if constexpr (kRows == 2) _tile_stored(1, out[1], 64);
  if constexpr (kTiles == 2) _tile_stored(2, out[kRows], 64);
  if constexpr (kTiles == 2 && kRows == 2) _tile_stored(3, out[3], 64);
}

struct TurnedProduct {
  const uint16_t* a;
  int64_t rows, depth;
  bool add;
  float* c;
  int64_t ldc;
};

// kTiles tiles of weights, whose first row is column j of C, by all rows of A. Meanwhile the weights at
// `next`, as many, are on their way, a share of them for each pass over these.
template <int kTiles>
SDFT_INLINE void multiply_turned_rows(const TurnedProduct& x, const uint16_t* w, int64_t w_stride,
                                      const uint16_t* next, int64_t j, int64_t columns) {
  alignas(64) float out[4][256];
  const int64_t a_stride = x.depth * kTileSize, passes = tiles(x.rows, 2 * kTile);
  const int64_t lines = next ? tiles(kTile * kTiles, passes) : 0;
  const char* share = reinterpret_cast<const char*>(next);
  for (int64_t i = 0; i < x.rows; i += 2 * kTile, share += lines * x.depth * 64) {
    const TurnedTiles product{w, w_stride, x.a + i / kTile * a_stride, a_stride, x.depth, share, lines};
    const int64_t there = x.rows - i > kTile ? 2 : 1;
    there == 2 ? multiply_turned<kTiles, 2>(product, out) : multiply_turned<kTiles, 1>(product, out);
    for (int64_t s = 0; s < kTiles; ++s)
      for (int64_t r = 0; r < there; ++r) {
        const int64_t row = i + r * kTile, column = s * kTile;
        store_turned(out[s * there + r], std::min(kTile, x.rows - row), std::min(kTile, columns - column),
                     x.add, x.c + row * x.ldc + j + column, x.ldc);
      }
  }
}

void linear_turned(const uint16_t* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t begin,
                   int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  const int64_t depth = tiles(k, kTileDepth), width = depth * kTileDepth;
  const TurnedProduct x{packed, rows, depth, add, c, ldc};
  for (int64_t j = begin; j < end;) {
    // One tile at a time reads memory in its order; more rows want less of A.
    const int64_t wide = rows > 2 * kTile && end - j >= 2 * kTile ? 2 * kTile : kTile;
    const int64_t columns = std::min(wide, end - j);
    const uint16_t *from = w + j * ldw, *next = from + wide * ldw;
    int64_t stride = ldw * 2;
    if (columns < wide || k < width) {  // what is missing are zeros
      auto* copy = reinterpret_cast<uint16_t*>(scratch(0, static_cast<size_t>(width * wide / 2)));
      for (int64_t r = 0; r < wide; ++r)
        for (int64_t p = 0; p < width; p += kTileDepth)
          _mm512_storeu_si512(copy + r * width + p,
                              r < columns ? load_32(from + r * ldw + p, k - p) : _mm512_setzero_si512());
      from = copy, next = nullptr, stride = width * 2;
    }
    wide == kTile ? multiply_turned_rows<1>(x, from, stride, next, j, columns)
                  : multiply_turned_rows<2>(x, from, stride, next, j, columns);
    j += wide;
  }
}

// --- many rows: the weights turned round, or two rows side by side, a strip of 32 columns of C at a time

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

// What will be read soon: so many rows of lines of the cache, `stride` bytes apart; `each` lines are asked
// for at a time.
struct Ahead {
  const char* row;
  int64_t rows, lines, stride, each, line = 0;

  SDFT_INLINE void ask() {
    for (int64_t i = 0; i < each && rows > 0; ++i) {
      __builtin_prefetch(row + line * 64, 0, 2);
      if (++line < lines) continue;
      line = 0;
      row += stride;
      --rows;
    }
  }
};

// Two tiles of rows of A by a strip of 32 columns; the second may have no rows.
SDFT_INLINE void multiply_strip(const uint16_t* a, int64_t a_stride, const uint16_t* strip, int64_t depth,
                                bool add, const SumTile* sums, Ahead* ahead) {
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
    ahead->ask();
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

// Rows [begin, end) of w, turned round to strips of 32 columns: [strips, pairs of k, 2 * 16 columns, 2].
SDFT_INLINE void turn_strips(const uint16_t* w, int64_t ldw, int64_t k, int64_t begin, int64_t end,
                             uint16_t* to) {
  for (int64_t j = begin; j < end; j += kStripColumns)
    for (int64_t p = 0; p < k; p += kTileDepth, to += 2 * kTileSize)
      for (int64_t half = 0; half < kStripColumns; half += kTile) {
        __m512i row[16];
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r)
          row[r] = j + half + r < end ? load_32(w + (j + half + r) * ldw + p, k - p) : _mm512_setzero_si512();
        transpose_16(row);
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) _mm512_storeu_si512(to + r * 2 * kStripColumns + half * 2, row[r]);
      }
}

// Columns [begin, end) of w [n, columns] as such strips, n filled up with zeros.
SDFT_INLINE void interleave_strips(const uint16_t* w, int64_t ldw, int64_t n, int64_t begin, int64_t end,
                                   uint16_t* to) {
  const int64_t size = tiles(n, kTileDepth) * 2 * kTileSize, filled = tiles(n, 2) * 2;
  for (int64_t row = 0; row < n; row += 2)
    for (int64_t j = begin; j < end; j += kStripColumns)
      interleave_strip(w, ldw, row, std::min(n, row + 2), j, std::min(kStripColumns, end - j),
                       to + (j - begin) / kStripColumns * size + row * kStripColumns);
  for (int64_t j = begin; j < end; j += kStripColumns, to += size)
    std::fill(to + filled * kStripColumns, to + size, uint16_t{0});
}

// A [row tiles, depth] and strips of 32 columns of the second factor.
struct TileFactors {
  const uint16_t* a;
  const uint16_t* strips;
  int64_t depth, strip_size;  // strip_size: numbers from strip to strip
};

// C [rows, columns], strip by strip for each two tiles of rows of A.
SDFT_INLINE void multiply_all(const TileFactors& x, int64_t rows, int64_t columns, bool add, float* c,
                              int64_t ldc, Ahead* ahead) {
  alignas(64) float edges[4][kTile * kTile] = {};
  const int64_t a_stride = x.depth * kTileSize;
  for (int64_t i = 0; i < rows; i += 2 * kTile)
    for (int64_t j = 0; j < columns; j += kStripColumns) {
      SumTile sums[4];
      for (int64_t s = 0; s < 4; ++s) {
        const int64_t row = i + s / 2 * kTile, column = j + s % 2 * kTile;
        sums[s] = sum_tile(c + row * ldc + column, ldc, rows - row, columns - column, edges[s]);
      }
      multiply_strip(x.a + i / kTile * a_stride, a_stride, x.strips + j / kStripColumns * x.strip_size,
                     x.depth, add, sums, ahead);
    }
}

// A by columns [begin, end) of the second factor, of which lay(begin, end, to) makes strips: as many at a
// time as the second-level cache holds, past which the rows of A go. Meanwhile the next ones come from
// memory: where(begin, columns) says where they lie.
template <typename Lay, typename Where>
SDFT_INLINE void multiply_strips(const uint16_t* a, int64_t rows, int64_t k, int64_t begin, int64_t end,
                                 bool add, float* c, int64_t ldc, const Lay& lay, const Where& where) {
  constexpr int64_t kCache = 768 << 10;
  const int64_t depth = tiles(k, kTileDepth), size = 2 * depth * kTileSize;
  const int64_t wide = std::clamp<int64_t>(kCache / (size * 2), 1, tiles(end - begin, kStripColumns));
  auto* strips = reinterpret_cast<uint16_t*>(scratch(0, static_cast<size_t>(wide * size / 2)));
  for (int64_t first = begin; first < end; first += wide * kStripColumns) {
    const int64_t last = std::min(end, first + wide * kStripColumns);
    lay(first, last, strips);
    Ahead ahead = where(last, last - first);
    ahead.each =
        tiles(ahead.rows * ahead.lines, tiles(rows, 2 * kTile) * tiles(last - first, kStripColumns) * depth);
    multiply_all({a, strips, depth, size}, rows, last - first, add, c + first, ldc, &ahead);
  }
}

void linear_tiles(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t begin,
                  int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  const Tiles configured;
  const auto* a = static_cast<const uint16_t*>(packed);
  if (rows <= kTurnedRows) return linear_turned(a, rows, w, ldw, begin, end, k, add, c, ldc);
  const auto lay = [&](int64_t first, int64_t last, uint16_t* to)
                       SDFT_LAMBDA_INLINE { turn_strips(w, ldw, k, first, last, to); };
  const auto where = [&](int64_t first, int64_t columns) SDFT_LAMBDA_INLINE {
    return Ahead{reinterpret_cast<const char*>(w + first * ldw), columns, tiles(k * 2, 64), ldw * 2, 0};
  };
  multiply_strips(a, rows, k, begin, end, add, c, ldc, lay, where);
}

void linear_back_tiles(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                       int64_t begin, int64_t end, bool add, float* c, int64_t ldc) {
  const Tiles configured;
  const auto lay = [&](int64_t first, int64_t last, uint16_t* to)
                       SDFT_LAMBDA_INLINE { interleave_strips(w, ldw, n, first, last, to); };
  const auto where = [&](int64_t first, int64_t columns) SDFT_LAMBDA_INLINE {
    return Ahead{reinterpret_cast<const char*>(w + first), n, tiles(columns * 2, 64), ldw * 2, 0};
  };
  multiply_strips(static_cast<const uint16_t*>(packed), rows, n, begin, end, add, c, ldc, lay, where);
}

}  // namespace
}  // namespace sdft::cpu
