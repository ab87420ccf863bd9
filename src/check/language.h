// Which language a text is in, as far as scripts (Unicode blocks) and the commonest words of some languages
// tell. Nothing here throws; where it is not sure it says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// What language_of() may say: "en", "de", ...; "zh", "ja", "ko"; and scripts: "cyrillic", "arabic", ...
std::vector<std::string> language_names();

// The one that the text is in; "" where it is short, mixed, code, or in none of those languages.
std::string language_of(std::string_view text);

// "fr instead of en" where `answer` is surely in another language or script than `reference`, or, where
// that is too short to tell and only repeats words of `question`, than the question; else "".
std::string language_change(std::string_view question, std::string_view reference, std::string_view answer);

// The text without Markdown's code: fenced blocks and `spans`.
std::string without_code(std::string_view text);
// Runs of letters and digits in lower case; Chinese characters and kana each on its own.
std::vector<std::u32string> words_of(std::string_view text);

}  // namespace sdft
