#pragma once

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

// exp(x) to within 2 units in the last place on [-87, 88], clamped outside; a form that compilers vectorise.
// exp(x) = 2^n exp(r), |r| <= ln2 / 2, with the Taylor-like polynomial of degree 6 fitted for this range.
SDFT_INLINE float fast_exp(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.0f ? 88.0f : x;
  float n = x * 1.44269504088896341f + 12582912.0f;  // rounds to the nearest integer in the low mantissa bits
  int32_t bits;
  std::memcpy(&bits, &n, sizeof bits);
  n -= 12582912.0f;
  float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  int32_t power = (bits - 0x4b400000 + 127) << 23;
  float scale;
  std::memcpy(&scale, &power, sizeof scale);
  return y * scale;
}

}  // namespace
}  // namespace sdft::cpu
