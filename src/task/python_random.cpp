#include "task/python_random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace sdft {

namespace {
constexpr size_t kWords = 624, kShift = 397;
}  // namespace

PythonRandom::PythonRandom(uint32_t seed) {
  state_[0] = 19650218;
  for (uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  size_t i = 1;
  auto wrap = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (size_t k = 0; k < kWords; ++k) {  // the key has one word, so that its index is always 0
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525u)) + seed;
    wrap();
  }
  for (size_t k = 1; k < kWords; ++k) {
    state_[i] =
        (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941u)) - static_cast<uint32_t>(i);
    wrap();
  }
  state_[0] = 0x80000000u;
}

uint32_t PythonRandom::next() {
  if (place_ == kWords) {
    for (size_t k = 0; k < kWords; ++k) {
      const uint32_t y = (state_[k] & 0x80000000u) | (state_[(k + 1) % kWords] & 0x7fffffffu);
      state_[k] = state_[(k + kShift) % kWords] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0u);
    }
    place_ = 0;
  }
  uint32_t y = state_[place_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

size_t PythonRandom::below(size_t end) {
  int bits = 0;
  while (end >> bits) ++bits;
  for (;;)
    if (const size_t value = next() >> (32 - bits); value < end) return value;
}

std::vector<size_t> PythonRandom::sample(size_t count, size_t wanted) {
  std::vector<size_t> drawn;
  // Python keeps a list of what is left where it is no larger than a set of what was drawn.
  const double set_size =
      21 +
      (wanted > 5 ? std::pow(4, std::ceil(std::log(static_cast<double>(wanted) * 3) / std::log(4.0))) : 0);
  if (static_cast<double>(count) <= set_size) {
    std::vector<size_t> pool(count);
    std::iota(pool.begin(), pool.end(), size_t{0});
    for (size_t i = 0; i < wanted; ++i) {
      const size_t place = below(count - i);
      drawn.push_back(pool[place]);
      pool[place] = pool[count - i - 1];
    }
    return drawn;
  }
  while (drawn.size() < wanted)
    if (const size_t place = below(count); std::find(drawn.begin(), drawn.end(), place) == drawn.end())
      drawn.push_back(place);
  return drawn;
}

}  // namespace sdft
