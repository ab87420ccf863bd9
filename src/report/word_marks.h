// What of two texts is not in the other, word by word, and where a phrase stands in a text. Words are runs of
// letters and digits; any other character that is no space is a word of its own, as are those of scripts
// without spaces. Texts are valid UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sdft::report {

enum class Mark : char { kNone = ' ', kDifferent = 'd', kMatched = 'm' };

// A Mark for each byte: the words that a longest common subsequence leaves out, with the spaces between
// them. Of texts whose words make a table of more than 2^20 cells nothing is marked.
std::pair<std::string, std::string> word_marks(std::string_view a, std::string_view b);

// Marks the words of `phrase` wherever they stand one after the other, whatever their case, quotes and
// spaces.
void mark_phrase(std::string_view text, std::string_view phrase, std::string* marks);

// The text as HTML: what is different in `element` ("del", "ins"), what was matched in <mark>.
std::string marked_html(const std::string& text, const std::string& marks, const char* element);

}  // namespace sdft::report
