// Random numbers from independent, named streams. Counter-based (SplitMix64, Steele et al. 2014): the state
// is two integers, so it is cheap to fork one a request and to save one in a checkpoint.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sdft {

class Random {
 public:
  // Streams with another seed or another name are independent: Random(7, "example-12").
  explicit Random(uint64_t seed, std::string_view stream = "") {
    uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a of the name
    for (unsigned char c : stream) hash = (hash ^ c) * 0x100000001b3ull;
    key_ = mix(seed + kStep) ^ mix(hash);
  }

  uint64_t next() { return mix(key_ + kStep * ++count_); }
  // In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // In [0, n), n > 0, without modulo bias worth the name (n far below 2^64).
  uint64_t below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * n) >> 64);
  }
  int64_t between(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(double probability) { return uniform() < probability; }
  double normal() {  // Box-Muller
    double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }
  // As if so many normal() had been drawn.
  void skip_normals(int64_t count) { count_ += 2 * static_cast<uint64_t>(count); }
  template <typename T>
  const T& pick(const std::vector<T>& items) {
    return items[below(items.size())];
  }
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  // Numbers drawn so far.
  uint64_t count() const { return count_; }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t key_ = 0;
  uint64_t count_ = 0;
};

}  // namespace sdft
