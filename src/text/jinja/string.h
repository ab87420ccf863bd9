// Python's str over UTF-8: what counts is code points, white space and case are Unicode's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sdft::jinja {

// The code point at byte `at`, which moves behind it. Bytes that are no UTF-8 stand for themselves, one by
// one.
char32_t next_char(std::string_view text, size_t* at);

size_t char_count(std::string_view text);
// The byte of character number `index`, counted from byte `from`; the text's end where it has fewer.
size_t char_place(std::string_view text, size_t index, size_t from = 0);
std::string_view last_character(std::string_view text);  // of a text that is not empty
// The characters in the opposite order.
std::string reversed(std::string_view text);
// For messages: at most some hundred bytes, no control characters.
std::string printable(std::string_view text);
bool is_digit(char32_t c);  // decimal digits and superscripts

// strip: bit 1 left, bit 2 right; of white space, or of any of `chars` where it is given.
std::string_view strip(std::string_view text, int sides = 3, const std::string* chars = nullptr);
// These hand out parts one by one: of a long text, a list of them would be much longer.
using UsePart = std::function<void(std::string_view)>;
// split at white space runs, or at `separator`; at most `limit` times (negative: always).
void split(std::string_view text, const std::string* separator, int64_t limit, const UsePart& use);
// The same from the right, the last part first.
void rsplit(std::string_view text, const std::string* separator, int64_t limit, const UsePart& use);
void split_lines(std::string_view text, bool keep_ends, const UsePart& use);
// How often `wanted` is there without overlaps: for "", between all characters and at both ends.
int64_t count_text(std::string_view text, std::string_view wanted);
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
