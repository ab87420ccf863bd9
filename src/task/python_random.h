// Python's random.Random(seed), as far as the harness draws examples with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdft {

// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded by an array as Python does.
class PythonRandom {
 public:
  explicit PythonRandom(uint32_t seed);
  // random.sample(range(count), wanted). wanted <= count.
  std::vector<size_t> sample(size_t count, size_t wanted);

 private:
  uint32_t next();
  size_t below(size_t end);

  std::array<uint32_t, 624> state_;
  size_t place_ = 624;
};

}  // namespace sdft
