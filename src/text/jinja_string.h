// Python's str over UTF-8: what counts is code points, white space and case are Unicode's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sdft::jinja {

// The code point at byte `at`, which moves behind it. Bytes that are no UTF-8 stand for themselves, one by
// one.
char32_t next_char(std::string_view text, size_t* at);
void append_char(std::string* text, char32_t c);

size_t char_count(std::string_view text);
std::vector<std::string_view> characters(std::string_view text);
bool is_space(char32_t c);
bool is_printable(char32_t c);
bool is_cased(char32_t c);
bool is_decimal(char32_t c);    // 0-9 of any script
int decimal_value(char32_t c);  // of what is_decimal
bool is_digit(char32_t c);      // and superscripts
bool is_numeric(char32_t c);    // and fractions, Roman numerals, ...
bool is_alpha(char32_t c);
bool is_alnum(char32_t c);

// strip: bit 1 left, bit 2 right; of white space, or of any of `chars` where it is given.
std::string_view strip(std::string_view text, int sides = 3, const std::string* chars = nullptr);
// split at white space runs, or at `separator`; at most `limit` times (negative: always).
std::vector<std::string_view> split(std::string_view text, const std::string* separator, int64_t limit);
std::vector<std::string_view> rsplit(std::string_view text, const std::string* separator, int64_t limit);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
std::string replace_text(std::string_view text, std::string_view from, std::string_view to, int64_t limit);
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);
std::string capitalize(std::string_view text);
std::string casefold(std::string_view text);
std::string swap_case(std::string_view text);
// &, <, >, ' and " as entities.
std::string escape_html(std::string_view text);

}  // namespace sdft::jinja
