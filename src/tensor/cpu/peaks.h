// What a core can do at most: multiply-adds on numbers that stay in its registers, in as many independent
// sums as keep its units busy, by the instruction that the tier's products are made of; and reading memory as
// products read weights.
#pragma once

#include "tensor/cpu/quantised.h"

namespace sdft::cpu {
namespace {

constexpr int kSumsAtOnce = 12;

// sum = multiply(sum), so many times each; returns how often that was.
template <typename V, typename Multiply>
SDFT_INLINE int64_t repeat_sums(int64_t rounds, const Multiply& multiply) {
  V sum[kSumsAtOnce];
#pragma GCC unroll 12
  for (int i = 0; i < kSumsAtOnce; ++i) sum[i] = V{} + static_cast<decltype(V{}[0] + 0)>(i);  // none alike
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < kSumsAtOnce; ++i) sum[i] = multiply(sum[i]);
  for (int i = 1; i < kSumsAtOnce; ++i) sum[0] += sum[i];
  [[maybe_unused]] const volatile auto kept = sum[0][0];  // else nothing would be computed
  return rounds * kSumsAtOnce;
}

int64_t peak_f32(int64_t rounds) {
  using V = Vector<SDFT_VECTOR_LANES>::Type;
  const V half = V{} + 0.5f, one = V{} + 1.0f;
  return SDFT_VECTOR_LANES *
         repeat_sums<V>(rounds, [&](V sum) SDFT_LAMBDA_INLINE { return sum * half + one; });
}

#if SDFT_AMX
// All sums that there are tiles for.
template <typename Multiply>
SDFT_INLINE int64_t repeat_tiles(int64_t rounds, const Multiply& multiply) {
  alignas(64) uint16_t numbers[kTileSize];
  std::fill_n(numbers, kTileSize, uint16_t{0x3f80});
  alignas(64) float out[256];
  const Tiles configured;
  memory_is_read();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, numbers, 64);
  _tile_loadd(5, numbers, 64);
  _tile_loadd(6, numbers, 64);
  _tile_loadd(7, numbers, 64);
  for (int64_t r = 0; r < rounds; ++r) multiply();
  _tile_stored(0, out, 64);
  memory_is_read();
  return rounds * 4;
}

int64_t peak_bf16(int64_t rounds) {
  return kTile * kTile * kTileDepth * repeat_tiles(rounds, [] SDFT_LAMBDA_INLINE {
           _tile_dpbf16ps(0, 4, 6);
           _tile_dpbf16ps(1, 4, 7);
           _tile_dpbf16ps(2, 5, 6);
           _tile_dpbf16ps(3, 5, 7);
         });
}

int64_t peak_int8(int64_t rounds) {
  return kTile * kTile * kQuantisedDepth * repeat_tiles(rounds, [] SDFT_LAMBDA_INLINE {
           _tile_dpbsud(0, 4, 6);
           _tile_dpbsud(1, 4, 7);
           _tile_dpbsud(2, 5, 6);
           _tile_dpbsud(3, 5, 7);
         });
}
#elif SDFT_AVX512_BF16
int64_t peak_bf16(int64_t rounds) {
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);
  return 32 *
         repeat_sums<__m512>(rounds, [&](__m512 sum) SDFT_LAMBDA_INLINE { return dot(sum, ones, ones); });
}

int64_t peak_int8(int64_t rounds) {
  const __m512i ones = _mm512_set1_epi8(1);
  return 64 * repeat_sums<__m512i>(rounds,
                                   [&](__m512i sum) SDFT_LAMBDA_INLINE { return add_dot(sum, ones, ones); });
}
#else
int64_t peak_int8(int64_t rounds) {
  const Words ones = Words{} + 1;
  return 2 * SDFT_VECTOR_LANES * repeat_sums<Sums>(rounds, [&](Sums sum) SDFT_LAMBDA_INLINE {
           return multiply_pairs(reinterpret_cast<Words>(sum), ones) + 1;
         });
}
#endif

// The sum of x, whose count is a multiple of a line's 16. Whole numbers: any bits are quick to add.
uint32_t read_all(const uint32_t* x, int64_t count) {
  typedef uint32_t V __attribute__((vector_size(SDFT_VECTOR_LANES * 4), aligned(4), may_alias));
  constexpr int kParts = 16 / SDFT_VECTOR_LANES;
  V sum[2][kParts] = {};
  for (int64_t p = 0; p < count; p += 32)
#pragma GCC unroll 2
    for (int line = 0; line < 2; ++line) {
      if (p + line * 16 >= count) break;
      ask_ahead(x + p + line * 16);
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part)
        sum[line][part] += *reinterpret_cast<const V*>(x + p + line * 16 + part * SDFT_VECTOR_LANES);
    }
  uint32_t total = 0;
  for (const auto& line : sum)
    for (const V& part : line)
      for (int i = 0; i < SDFT_VECTOR_LANES; ++i) total += part[i];
  return total;
}

}  // namespace
}  // namespace sdft::cpu
