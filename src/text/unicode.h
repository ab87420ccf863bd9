// Properties and normal forms of characters, as the tokenizers' own libraries see them.
#pragma once

#include <string>
#include <string_view>

namespace sdft {

bool is_unicode_space(char32_t c);        // White_Space
bool is_unicode_number(char32_t c);       // Nd, Nl, No
bool is_unicode_punctuation(char32_t c);  // P*, and all of ASCII's
bool is_unicode_mark(char32_t c);         // M*
bool is_nonspacing_mark(char32_t c);      // Mn
bool is_unicode_other(char32_t c);        // C*
bool is_word_character(char32_t c);       // what \w matches
bool is_cjk_ideograph(char32_t c);        // the blocks BERT surrounds with spaces

// Character by character, without context.
std::string unicode_lowercase(std::string_view text);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string unicode_normalize(std::string_view text, NormalForm form);

// The end of the grapheme cluster that starts at `at`.
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace sdft
