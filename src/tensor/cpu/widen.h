// Weights of 16 bits as f32, which holds all of their numbers.
#pragma once

#if SDFT_VECTOR_LANES > 4
#include <immintrin.h>
#endif

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

SDFT_INLINE float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// f32 has 8 bits of exponent where f16 has 5: moved to their place they are 112 too small, those of subnormal
// numbers too; an infinity's and NaN's are all ones in both.
SDFT_INLINE float widen(F16 x) {
  const float value = from_bits((x.bits & 0x7fffu) << 13) * 0x1p112f;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((x.bits & 0x7c00u) == 0x7c00u) bits |= 0x7f800000u;
  return from_bits(bits | (x.bits & 0x8000u) << 16);
}

SDFT_INLINE float widen(Bf16 x) { return from_bits(static_cast<uint32_t>(x.bits) << 16); }

// The first kCount lanes from x, the others zero.
template <typename V, int kCount>
SDFT_INLINE V load(const float* x) {
  V value = {};
  std::memcpy(&value, x, kCount * sizeof(float));
  return value;
}

template <typename V, int kCount, typename X>
SDFT_INLINE V load_each(const X* x) {
  V value = {};
  for (int i = 0; i < kCount; ++i) value[i] = widen(x[i]);
  return value;
}

template <typename V, int kCount>
SDFT_INLINE V load(const F16* x) {
#if SDFT_VECTOR_LANES == 16
  if constexpr (kCount == 16)
    return reinterpret_cast<V>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))));
#elif SDFT_VECTOR_LANES == 8
  if constexpr (kCount == 8)
    return reinterpret_cast<V>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
#endif
  return load_each<V, kCount>(x);
}

typedef uint16_t Narrow __attribute__((vector_size(SDFT_VECTOR_LANES * 2), aligned(2), may_alias));
typedef uint32_t Wide __attribute__((vector_size(SDFT_VECTOR_LANES * 4)));

template <typename V, int kCount>
SDFT_INLINE V load(const Bf16* x) {
  if constexpr (kCount == SDFT_VECTOR_LANES)
    return reinterpret_cast<V>(__builtin_convertvector(*reinterpret_cast<const Narrow*>(x), Wide) << 16);
  return load_each<V, kCount>(x);
}

template <typename X>
SDFT_INLINE void widen_all(const X* x, int64_t count, float* y) {
  typedef float V __attribute__((vector_size(SDFT_VECTOR_LANES * 4), aligned(4), may_alias));
  int64_t i = 0;
  for (; i + SDFT_VECTOR_LANES <= count; i += SDFT_VECTOR_LANES)
    *reinterpret_cast<V*>(y + i) = load<V, SDFT_VECTOR_LANES>(x + i);
  for (; i < count; ++i) y[i] = widen(x[i]);
}

void widen_f16(const uint16_t* x, int64_t count, float* y) {
  widen_all(reinterpret_cast<const F16*>(x), count, y);
}

void widen_bf16(const uint16_t* x, int64_t count, float* y) {
  widen_all(reinterpret_cast<const Bf16*>(x), count, y);
}

// To nearest, ties to even; NaN stays NaN, and what is too small for a normal number becomes zero, as the
// processors' own instruction has it.
void round_bf16(const float* x, int64_t count, uint16_t* y) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    const uint32_t size = bits & 0x7fffffffu;
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const uint32_t special = size > 0x7f800000u ? bits >> 16 | 0x40u : bits >> 16 & 0x8000u;
    y[i] = static_cast<uint16_t>(size > 0x7f800000u || size < 0x00800000u ? special : rounded);
  }
}

// The same in f32.
SDFT_INLINE float rounded_to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t size = bits & 0x7fffffffu;
  uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
  rounded = size > 0x7f800000u ? (bits & 0xffff0000u) | 0x400000u : rounded;
  rounded = size < 0x00800000u ? bits & 0x80000000u : rounded;
  return from_bits(rounded);
}

SDFT_INLINE void round_each(const float* x, int64_t count, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = rounded_to_bf16(x[i]);
}

}  // namespace
}  // namespace sdft::cpu
