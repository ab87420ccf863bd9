// What a descriptor's terminal can show.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace sdft {

// A terminal on which the cursor can be moved: TERM is not "dumb".
inline bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && !(term && std::string_view(term) == "dumb");
}

// The columns of a descriptor's terminal; 0: not known.
inline int terminal_columns(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// And NO_COLOR is unset or empty (no-color.org).
inline bool shows_colours(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal(descriptor) && !(no_colour && *no_colour);
}

}  // namespace sdft
