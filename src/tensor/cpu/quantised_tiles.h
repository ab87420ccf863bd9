// The same product by tiles (AMX), where blocks of codes of 8 bits are long: a panel's 64 numbers are a tile
// as they lie in memory, and the sums leave the tiles at the end of a block. Others go by quantised_dot.h.
#pragma once

#include "tensor/cpu/amx.h"
#include "tensor/cpu/quantised_dot.h"

namespace sdft::cpu {
namespace {

// One block's whole numbers of two tiles of rows of A by two panels; the second of either may be missing.
struct CodeTiles {
  const int8_t* a;
  int64_t lda;
  const uint8_t* w;
  int64_t panel_bytes;
  bool two_rows, two_panels, ahead;
};

SDFT_INLINE void multiply_codes(const CodeTiles& x, int64_t depth, int32_t (*out)[256]) {
  memory_is_read();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const uint8_t* w = x.w;
  for (int64_t p = 0; p < depth; p += kQuantisedDepth, w += 1024) {
    if (x.ahead)
#pragma GCC unroll 16
      for (int line = 0; line < 16; ++line) {
        ask_ahead(w + line * 64);
        if (x.two_panels) ask_ahead(w + x.panel_bytes + line * 64);
      }
    _tile_loadd(4, x.a + p, x.lda);
    _tile_loadd(6, w, 64);
    _tile_dpbsud(0, 4, 6);
    if (x.two_panels) {
      _tile_loadd(7, w + x.panel_bytes, 64);
      _tile_dpbsud(1, 4, 7);
    }
    if (x.two_rows) {
      _tile_loadd(5, x.a + kTile * x.lda + p, x.lda);
      _tile_dpbsud(2, 5, 6);
      if (x.two_panels) _tile_dpbsud(3, 5, 7);
    }
  }
  _tile_stored(0, out[0], 64);
  _tile_stored(1, out[1], 64);
  _tile_stored(2, out[2], 64);
  _tile_stored(3, out[3], 64);
  memory_is_read();
}

// As a block of quantised_tile() ends: total [16, 16] += so many rows of sums, from row i of A on. scale: of
// the panel's block.
SDFT_INLINE void add_codes(const QuantisedMatrix& w, const QuantisedRows& a, int64_t b, const int32_t* sums,
                           int64_t i, int64_t rows, __m512 scale, float* total) {
  const auto one = [&](int64_t r) SDFT_LAMBDA_INLINE {
    const int64_t at = (i + r) * w.blocks() + b;
    const __m512i sum = _mm512_add_epi32(_mm512_load_si512(sums + r * 16), _mm512_set1_epi32(a.starts[at]));
    _mm512_store_ps(total + r * 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum),
                                                    _mm512_mul_ps(scale, _mm512_set1_ps(a.scales[at])),
                                                    _mm512_load_ps(total + r * 16)));
  };
  if (rows == kTile)
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) one(r);
  else
    for (int64_t r = 0; r < rows; ++r) one(r);
}

// Two tiles of rows of A, from row i on, by two panels, from column j on; the second of either may be
// missing.
SDFT_INLINE void multiply_panels(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows, int64_t i,
                                 int64_t j, int64_t end, bool add, float* c, int64_t ldc) {
  alignas(64) int32_t sums[4][256];
  alignas(64) float totals[4][256];
  const int64_t panel = j / kQuantisedPanel;
  const bool two_rows = rows - i > kTile, two_panels = end - j > kQuantisedPanel;
  const auto each = [&](auto&& work) SDFT_LAMBDA_INLINE {
    for (int64_t s = 0; s < 4; ++s) {
      const int64_t row = i + s / 2 * kTile, column = j + s % 2 * kQuantisedPanel;
      if (row < rows && column < end)
        work(s, row, std::min(kTile, rows - row), column,
             first_lanes(std::min(kQuantisedPanel, end - column)));
    }
  };
  each([&](int64_t s, int64_t row, int64_t count, int64_t column, __mmask16 mask) SDFT_LAMBDA_INLINE {
    for (int64_t r = 0; r < count; ++r)
      _mm512_store_ps(totals[s] + r * 16,
                      add ? _mm512_maskz_loadu_ps(mask, c + (row + r) * ldc + column) : _mm512_setzero_ps());
  });
  for (int64_t b = 0; b < w.blocks(); ++b) {
    multiply_codes({static_cast<const int8_t*>(a.numbers) + i * w.k + b * w.block, w.k,
                    w.codes + panel * w.panel_bytes() + b * w.block * kQuantisedPanel, w.panel_bytes(),
                    two_rows, two_panels, i == 0},
                   w.depth(b), sums);
    each([&](int64_t s, int64_t row, int64_t count, int64_t, __mmask16) SDFT_LAMBDA_INLINE {
      const int64_t at = ((panel + s % 2) * w.blocks() + b) * kQuantisedPanel;
      add_codes(w, a, b, sums[s], row, count, numbers_at<__m512>(w.scales, at), totals[s]);
    });
  }
  each([&](int64_t s, int64_t row, int64_t count, int64_t column, __mmask16 mask) SDFT_LAMBDA_INLINE {
    for (int64_t r = 0; r < count; ++r)
      _mm512_mask_storeu_ps(c + (row + r) * ldc + column, mask, _mm512_load_ps(totals[s] + r * 16));
  });
}

void quantised_tiles(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows, int64_t begin,
                     int64_t end, bool add, float* c, int64_t ldc) {
  constexpr int64_t kFewRows = 16;  // wait for the weights, and leave most of a tile empty
  if (rows < kFewRows || w.bits != 8 || w.block % kQuantisedDepth != 0 || w.offsets.there())
    return quantised_dot(w, a, rows, begin, end, add, c, ldc);
  const Tiles configured;
  // As many panels at a time as the second-level cache holds, past which the rows go two tiles at a time.
  const int64_t wide = std::max<int64_t>(1, (512 << 10) / (2 * w.panel_bytes())) * 2 * kQuantisedPanel;
  for (int64_t first = begin; first < end; first += wide)
    for (int64_t i = 0; i < rows; i += 2 * kTile)
      for (int64_t j = first; j < std::min(end, first + wide); j += 2 * kQuantisedPanel)
        multiply_panels(w, a, rows, i, j, end, add, c, ldc);
}

}  // namespace
}  // namespace sdft::cpu
