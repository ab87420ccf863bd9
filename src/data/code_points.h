// Texts as the judges of answers see them: code points, with Python's classes of them.
#pragma once

#include <string>
#include <string_view>

#include "text/unicode/characters.h"

namespace sdft {

// A byte that is not part of valid UTF-8 becomes one U+FFFD.
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

// Runs of white space become one space; none is left at the ends.
std::string collapse_space(std::string_view text);

}  // namespace sdft
