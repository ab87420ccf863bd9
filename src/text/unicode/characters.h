// Properties of characters. The names with "unicode" are Unicode's own properties and categories, as the
// tokenizers' own libraries see them; the others are those of Python's str and re.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdft {

bool is_unicode_space(char32_t c);        // White_Space
bool is_unicode_number(char32_t c);       // Nd, Nl, No; str.isnumeric
bool is_unicode_punctuation(char32_t c);  // P*, and all of ASCII's
bool is_unicode_mark(char32_t c);         // M*
bool is_nonspacing_mark(char32_t c);      // Mn
bool is_unicode_other(char32_t c);        // Cc, Cf, Cs, Co
bool is_word_character(char32_t c);       // what \w matches in Rust's regex
bool is_cjk_ideograph(char32_t c);        // the blocks BERT surrounds with spaces

bool is_space(char32_t c);                   // str.isspace, \s
bool is_cased(char32_t c);                   // Lu, Ll, Lt
bool is_alpha(char32_t c);                   // L*; str.isalpha
bool is_alnum(char32_t c);                   // a letter or a number of any kind; str.isalnum
bool is_word(char32_t c);                    // the same or _; \w
bool is_printable(char32_t c);               // str.isprintable
bool is_decimal(char32_t c);                 // Nd: 0-9 of any script; str.isdecimal
std::optional<int> digit_value(char32_t c);  // of what is_decimal

// Character by character, without context.
std::string unicode_lowercase(std::string_view text);

// The end of the grapheme cluster that starts at `at`.
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace sdft
