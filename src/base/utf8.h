// UTF-8: reading, writing, checking. Functions that read expect valid text (utf8_fault says where it is not).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sdft {

// The byte where `text` stops being valid UTF-8, npos where it is valid throughout.
size_t utf8_fault(std::string_view text);

// Bytes of a character that starts with `lead`.
inline size_t utf8_length(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// The character at `at`, which moves behind it.
inline char32_t utf8_next(std::string_view text, size_t& at) {
  auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t lead = byte(at);
  const size_t length = utf8_length(static_cast<unsigned char>(lead));
  char32_t c = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) c = c << 6 | (byte(at + i) & 0x3f);
  at += length;
  return c;
}

// The same of text that may not be valid: a byte that is no part of a character gives U+FFFD and moves by
// one.
char32_t utf8_next_lossy(std::string_view text, size_t& at);

// The first byte of the character that ends before `at` > 0.
inline size_t utf8_previous(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  return at;
}

void utf8_append(std::string& out, char32_t c);
std::string utf8_of(char32_t c);
size_t utf8_count(std::string_view text);

// Every maximal ill-formed part becomes one U+FFFD (Unicode 15, section 3.9).
std::string utf8_lossy(std::string bytes);

}  // namespace sdft
