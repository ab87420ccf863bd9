// What commands write to standard output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sdft::cli {

// To stdout; Error(kInput) where it cannot be written (a full disk). A closed pipe ends the program's work
// like Ctrl-C. Only flush_out() can tell of all that was written.
void write_out(std::string_view text);     // shown()
void write_marked(std::string_view text);  // with our own control characters, around texts that are shown()
// On a terminal, control characters are written out: nothing of a file or a model steers it.
std::string shown(std::string_view text);
void flush_out();
// One JSON value on a line of its own; text that is not UTF-8 gets U+FFFD.
void write_line(const Json& json);

// "a, b, c and 12 more"
std::string list_of(const std::vector<std::string>& names, size_t most = 5);

}  // namespace sdft::cli
