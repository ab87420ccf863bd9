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

// As a block of quantised_tile() ends. scales: of the panel's block.
SDFT_INLINE void store_codes(const QuantisedMatrix& w, const QuantisedRows& a, int64_t b, const int32_t* sums,
                             int64_t i, int64_t rows, const float* scales, int64_t columns, bool add,
                             float* c, int64_t ldc) {
  const __mmask16 mask = first_lanes(columns);
  const __m512 scale = _mm512_loadu_ps(scales);
  for (int64_t r = 0; r < rows; ++r, c += ldc) {
    const int64_t at = (i + r) * w.blocks() + b;
    const __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums + r * 16), _mm512_set1_epi32(a.starts[at]));
    const __m512 before = add ? _mm512_maskz_loadu_ps(mask, c) : _mm512_setzero_ps();
    _mm512_mask_storeu_ps(
        c, mask,
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(scale, _mm512_set1_ps(a.scales[at])), before));
  }
}

void quantised_tiles(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows, int64_t begin,
                     int64_t end, bool add, float* c, int64_t ldc) {
  if (w.bits != 8 || w.block % kQuantisedDepth != 0 || w.offsets)
    return quantised_dot(w, a, rows, begin, end, add, c, ldc);
  const Tiles configured;
  const auto* numbers = static_cast<const int8_t*>(a.numbers);
  alignas(64) int32_t out[4][256];
  for (int64_t j = begin; j < end; j += 2 * kQuantisedPanel)
    for (int64_t i = 0; i < rows; i += 2 * kTile)
      for (int64_t b = 0; b < w.blocks(); ++b) {
        const int64_t panel = j / kQuantisedPanel;
        multiply_codes({numbers + i * w.k + b * w.block, w.k,
                        w.codes + panel * w.panel_bytes() + b * w.block * kQuantisedPanel, w.panel_bytes(),
                        rows - i > kTile, end - j > kQuantisedPanel, i == 0},
                       w.depth(b), out);
        for (int64_t s = 0; s < 4; ++s) {
          const int64_t row = i + s / 2 * kTile, column = j + s % 2 * kQuantisedPanel;
          if (row < rows && column < end)
            store_codes(w, a, b, out[s], row, std::min(kTile, rows - row),
                        w.scales + ((panel + s % 2) * w.blocks() + b) * kQuantisedPanel,
                        std::min(kQuantisedPanel, end - column), add || b > 0, c + row * ldc + column, ldc);
        }
      }
}

}  // namespace
}  // namespace sdft::cpu
