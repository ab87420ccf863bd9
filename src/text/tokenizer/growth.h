// What a tokenizer's file may do to a text: nobody vouches for it.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {

// How long the steps of a file may make a text. Published ones make it four times as long at most; one
// character has a compatibility form of eleven times its bytes.
struct Growth {
  explicit Growth(size_t bytes) : most(32 * bytes + (size_t{64} << 10)) {}
  size_t most;

  // Error(kInput) naming `where` the step stands. Also where an interrupt is noticed.
  void check(size_t bytes, const std::string& where) const {
    stop_if_interrupted();
    if (bytes > most)
      fail_input(where, "makes a text grow without bound: beyond " + std::to_string(most) + " bytes");
  }
};

// A word is held in memory some thirty times over while it is cut.
inline void check_word_size(size_t bytes) {
  constexpr size_t kMost = size_t{16} << 20;
  if (bytes > kMost)
    fail_input("text to tokenize",
               "a stretch of " + std::to_string(bytes) +
                   " bytes that the tokenizer takes as one word, more than " + std::to_string(kMost),
               "is it text?");
}

}  // namespace sdft
