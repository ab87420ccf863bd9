// Errors: what went wrong, where, what was expected, what to do; and the exit code that says whose fault it
// is. Everything that can fail because of the outside world throws Error; main() prints it and exits with its
// code.
#pragma once

#include <string>
#include <vector>

#include "sdft/error.h"

namespace sdft {

// where: "data/train.jsonl:12: field 'output'"; what: "expected a non-empty string, found null";
// hint (may be empty): what the user can do. Printed as "where: what (hint)".
[[noreturn]] void fail_input(const std::string& where, const std::string& what, const std::string& hint = "");
[[noreturn]] void fail_usage(const std::string& what, const std::string& hint = "");

// Error(kDevice) with advice that fits current_work.
Error memory_error(const std::string& what = "out of memory");
// The exception being handled as an Error: also one of the standard library (memory, threads, paths). What
// nobody foresaw is a bug in sdft.
Error current_error();

// The candidate nearest to `word` by edit distance, or "" where none is near: for "did you mean".
template <typename Range>
std::string nearest(const std::string& word, const Range& candidates);
int edit_distance(const std::string& a, const std::string& b);

template <typename Range>
std::string nearest(const std::string& word, const Range& candidates) {
  std::string best;
  int best_distance = static_cast<int>(word.size()) / 3 + 2;
  for (const auto& candidate : candidates) {
    int distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

// The place of a name among a setting's choices. Error(kUsage), "reasoning 'x' is not known (drop, keep,
// learn)".
size_t place_of_choice(const std::vector<std::string>& choices, const std::string& name,
                       const std::string& setting);

}  // namespace sdft
