// Text of files and models on a terminal. Bytes that a terminal takes for commands could move the cursor,
// rename the window, or make one text look like another.
#pragma once

#include <string>
#include <string_view>

namespace sdft {

// Controls other than line break and tab, marks that reverse the direction of what follows, non-characters.
bool is_unsafe(char32_t character);

// The same text with unsafe characters written out (\u001b), and bytes that are not UTF-8 (\xff).
std::string printable(std::string_view text);

}  // namespace sdft
