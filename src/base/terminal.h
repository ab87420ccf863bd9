// What a descriptor's terminal can show.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace sdft {

// A terminal on which the cursor can be moved: TERM is not "dumb".
inline bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && !(term && std::string_view(term) == "dumb");
}

// And NO_COLOR is unset or empty (no-color.org).
inline bool shows_colours(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal(descriptor) && !(no_colour && *no_colour);
}

}  // namespace sdft
