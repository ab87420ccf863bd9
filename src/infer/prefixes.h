// Sequences that begin alike, as a tree: what they share is read once (the examples before each question, the
// question before each choice).
#pragma once

#include <cstdint>
#include <vector>

#include "model/model.h"

namespace sdft {

// A shared stretch costs a copy of its keys and values for each that goes on from it: tokens it must save.
inline constexpr int64_t kWorthSharing = 16;

// Tokens [begin, end) of a sequence, behind those of its parent.
struct Stretch {
  size_t sequence;
  int64_t begin, end;
  int64_t parent;  // a place in the list, or -1
  std::vector<size_t> children;
};

struct SharedPrefixes {
  std::vector<Stretch> stretches;
  std::vector<size_t> roots;
  std::vector<int64_t> last;  // of each sequence, the stretch that ends it; -1 where it is empty
};

// `sequences` are different from each other. A stretch is shared where that saves at least `worth` tokens.
SharedPrefixes shared_prefixes(const std::vector<std::vector<int32_t>>& sequences, int64_t worth);

}  // namespace sdft
