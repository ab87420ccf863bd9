// Matrix products of numbers rounded to bf16, by the instruction that adds two products of bf16 to a sum in
// f32 (AVX-512 BF16). Activations are rounded once into rows of whole registers ("packed"); weights are read
// as they are stored. As in linear.h an element's sum has one order, whatever stands beside it.
#pragma once

#include "tensor/cpu/bf16_pairs.h"
#include "tensor/cpu/linear.h"

namespace sdft::cpu {
namespace {

// Row after row, filled up with zeros.
void pack_rows_dot(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed) {
  const int64_t ld = whole_registers(k);
  auto* y = static_cast<uint16_t*>(packed);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t p = 0; p < k; p += kPairLanes)
      _mm512_storeu_si512(y + i * ld + p, round_32(x + i * ldx + p, k - p));
}

// --- C = A W^T

struct Bf16Product {
  const uint16_t* a;  // packed
  const uint16_t* w;
  int64_t rows, k, lda, ldw, ldc;
  bool add;
  float* c;
  int64_t ahead = kAhead;  // of a number that is multiplied: bytes to what is asked for
};

// The numbers of k at which a tile asks for what lies ahead.
struct Asking {
  int64_t begin, end;
};

template <int kRows, int kColumns>
SDFT_INLINE void dot_tile(const Bf16Product& x, int64_t i, int64_t j, int64_t begin, int64_t end,
                          const Asking& asking) {
  const uint16_t *a = x.a + i * x.lda, *w = x.w + j * x.ldw;
  __m512 sum[kRows][4] = {};
  const auto multiply = [&](int64_t p, int64_t stop, auto asks) SDFT_LAMBDA_INLINE {
    for (; p < stop; p += kPairLanes) {
      __m512i column[kColumns];
#pragma GCC unroll 4
      for (int l = 0; l < kColumns; ++l) column[l] = load_32(w + l * x.ldw + p, x.k - p);
      if constexpr (asks)
#pragma GCC unroll 4
        for (int l = 0; l < kColumns; ++l) ask_for(w + l * x.ldw + p, x.ahead);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i row = _mm512_loadu_si512(a + r * x.lda + p);
#pragma GCC unroll 4
        for (int l = 0; l < kColumns; ++l) sum[r][l] = dot(sum[r][l], row, column[l]);
      }
    }
  };
  multiply(begin, asking.begin, std::false_type());
  multiply(asking.begin, asking.end, std::true_type());
  multiply(asking.end, end, std::false_type());
  const bool add = x.add || begin > 0;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const Float4 dots = sums(reinterpret_cast<Float16>(sum[r][0]), reinterpret_cast<Float16>(sum[r][1]),
                             reinterpret_cast<Float16>(sum[r][2]), reinterpret_cast<Float16>(sum[r][3]));
    float* to = x.c + (i + r) * x.ldc + j;
    if constexpr (kColumns == 4) {
      *reinterpret_cast<Float4*>(to) = add ? *reinterpret_cast<Float4*>(to) + dots : dots;
    } else {
      *to = add ? *to + dots[0] : dots[0];
    }
  }
}

// Rows [first, last) and kColumns columns. What lies ahead is asked for evenly: each tile does for `part` of
// the numbers, the last one for the rest; none where part is 0.
template <int kColumns>
SDFT_INLINE void dot_columns(const Bf16Product& x, int64_t first, int64_t last, int64_t j, int64_t begin,
                             int64_t end, int64_t part) {
  int64_t i = first, asked = part > 0 ? begin : end;
  const auto tile = [&](auto count) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(count)::value;
    const int64_t until = i + kRows == last ? end : std::min(end, asked + part);
    dot_tile<kRows, kColumns>(x, i, j, begin, end, {asked, until});
    i += kRows, asked = until;
  };
  while (i + 6 <= last) tile(std::integral_constant<int, 6>());
  if (i + 4 <= last) tile(std::integral_constant<int, 4>());
  if (i + 3 <= last) tile(std::integral_constant<int, 3>());
  if (i + 2 <= last) tile(std::integral_constant<int, 2>());
  if (i < last) tile(std::integral_constant<int, 1>());
}

constexpr int64_t kDotDepth = 2 * kChunk;  // of k at a time: as many bytes as in linear.h

// columns(first, how many) over [begin, end): four at a time, then one.
template <typename Columns>
SDFT_INLINE void for_each_few(int64_t begin, int64_t end, const Columns& columns) {
  int64_t j = begin;
  for (; j + 4 <= end; j += 4) columns(j, std::integral_constant<int, 4>());
  for (; j < end; ++j) columns(j, std::integral_constant<int, 1>());
}

// So many of a chunk's numbers that `tiles` of them have them all.
SDFT_INLINE int64_t part_of(int64_t numbers, int64_t tiles) {
  return whole_registers((numbers + tiles - 1) / tiles);
}

// Rows so few that they wait for memory, which gives one stream that a single instruction reads faster than
// four side by side.
template <int kRows>
SDFT_ALONE void multiply_stream(Bf16Product x, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j)
    for (int64_t first = 0; first < x.k; first += kDotDepth) {
      const uint16_t* w = x.w + j * x.ldw;
      __m512 sum[4] = {};
      for (int64_t p = first; p < std::min(x.k, first + kDotDepth); p += kPairLanes) {
        ask_ahead(w + p);
        const __m512i column = load_32(w + p, x.k - p);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sum[r] = dot(sum[r], _mm512_loadu_si512(x.a + r * x.lda + p), column);
      }
      const Float4 dots = sums(reinterpret_cast<Float16>(sum[0]), reinterpret_cast<Float16>(sum[1]),
                               reinterpret_cast<Float16>(sum[2]), reinterpret_cast<Float16>(sum[3]));
      const bool add = x.add || first > 0;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        float* to = x.c + r * x.ldc + j;
        *to = add ? *to + dots[r] : dots[r];
      }
    }
}

// Rows that stay in the first-level cache: W is read as memory has it.
SDFT_INLINE void multiply_block(const Bf16Product& x, int64_t begin, int64_t end) {
  const int64_t tiles = (x.rows + 5) / 6, part = part_of(std::min(x.k, kDotDepth), tiles);
  for_each_few(begin, end, [&](int64_t j, auto count) SDFT_LAMBDA_INLINE {
    for (int64_t p = 0; p < x.k; p += kDotDepth)
      dot_columns<decltype(count)::value>(x, 0, x.rows, j, p, std::min(x.k, p + kDotDepth), part);
  });
}

// Blocks of `tall` rows pass over one panel of W, `wide` columns in the second-level cache, after the other
// and ask for the next one meanwhile.
SDFT_ALONE void multiply_panels(Bf16Product x, int64_t tall, int64_t wide, int64_t begin, int64_t end) {
  const int64_t blocks = (x.rows + tall - 1) / tall;
  for (int64_t j0 = begin; j0 < end; j0 += wide)
    for (int64_t p = 0; p < x.k; p += kDotDepth) {
      const int64_t stop = std::min(x.k, p + kDotDepth), part = part_of(stop - p, (tall + 5) / 6);
      for (int64_t block = 0; block < blocks; ++block) {
        int64_t turn = 0;  // the block that asks for what lies ahead of these columns
        for_each_few(j0, std::min(end, j0 + wide), [&](int64_t j, auto count) SDFT_LAMBDA_INLINE {
          dot_columns<decltype(count)::value>(x, block * tall, std::min(x.rows, (block + 1) * tall), j, p,
                                              stop, turn == block ? part : 0);
          turn = turn + 1 == blocks ? 0 : turn + 1;
        });
      }
    }
}

SDFT_ALONE void multiply_near(Bf16Product x, int64_t begin, int64_t end) { multiply_block(x, begin, end); }

[[maybe_unused]] void linear_dot(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw,
                                 int64_t begin, int64_t end, int64_t k, bool add, float* c, int64_t ldc) {
  constexpr int64_t kNear = 12288, kSmallPanel = 1 << 15, kPanel = 1 << 18, kFewRows = 128;  // numbers
  const Bf16Product x{static_cast<const uint16_t*>(packed), w, rows, k, whole_registers(k), ldw, ldc, add, c};
  const int64_t tall = std::max<int64_t>(1, kNear / std::min(k, kDotDepth) / 6) * 6;
  switch (rows) {
    case 1:
      return multiply_stream<1>(x, begin, end);
    case 2:
      return multiply_stream<2>(x, begin, end);
    case 3:
      return multiply_stream<3>(x, begin, end);
    case 4:
      return multiply_stream<4>(x, begin, end);
  }
  if (rows <= tall) return multiply_near(x, begin, end);
  // Few rows are as fast as memory lets them be, and the first panel is not asked for: small ones, then.
  const int64_t wide = std::max<int64_t>(4, (rows <= kFewRows ? kSmallPanel : kPanel) / k / 4 * 4);
  Bf16Product panels = x;
  panels.ahead = 2 * wide * ldw;
  multiply_panels(panels, tall, wide, begin, end);
}

}  // namespace
}  // namespace sdft::cpu
