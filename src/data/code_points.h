// Characters as the judges of answers see them: code points, and the classes that Python's \s, \w and \d
// have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdft {

// A byte that is not part of valid UTF-8 becomes one U+FFFD.
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

bool is_space(char32_t c);
bool is_word(char32_t c);                    // a letter, a number or _
std::optional<int> digit_value(char32_t c);  // of decimal digits of any script

// Runs of white space become one space; none is left at the ends.
std::string collapse_space(std::string_view text);

}  // namespace sdft
