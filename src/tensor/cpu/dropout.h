// A mask that depends on key and index only.
#pragma once

#include "tensor/cpu/simd.h"

namespace sdft::cpu {
namespace {

SDFT_INLINE uint32_t mix32(uint32_t z) {  // the finaliser of MurmurHash3
  z = (z ^ (z >> 16)) * 0x85ebca6bu;
  z = (z ^ (z >> 13)) * 0xc2b2ae35u;
  return z ^ (z >> 16);
}

void dropout(const float* x, float p, uint64_t key, int64_t begin, int64_t count, float* y) {
  const uint32_t threshold = static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0);
  const uint32_t low = static_cast<uint32_t>(key), high = static_cast<uint32_t>(key >> 32);
  const float scale = 1.0f / (1.0f - p);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    uint32_t index = static_cast<uint32_t>(begin + i);
    uint32_t draw = mix32(mix32(index ^ low) + high);
    y[i] = draw >= threshold ? x[i] * scale : 0.0f;
  }
}

}  // namespace
}  // namespace sdft::cpu
