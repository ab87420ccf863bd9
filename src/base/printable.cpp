#include "base/printable.h"

#include <fmt/format.h>

namespace sdft {

namespace {
constexpr char32_t kReplacement = 0xFFFD;
}

char32_t next_character(std::string_view text, size_t& at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(at);
  if (first < 0x80) return text[at++];
  size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  static constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  char32_t code = first & (0xFF >> (length + 1));
  bool valid = first >= 0xC2 && first <= 0xF4 && at + length <= text.size();
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(at + i) & 0xC0) == 0x80;
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  valid = valid && code >= kLeast[length] && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
  at += valid ? length : 1;
  return valid ? code : kReplacement;
}

bool is_unsafe(char32_t c) {
  static constexpr struct {
    char32_t first, last;
  } kUnsafe[] = {{0x00, 0x08},     {0x0B, 0x1F},     {0x7F, 0x9F},    {0x202A, 0x202E},
                 {0x2066, 0x2069}, {0xFDD0, 0xFDEF}, {0xFFFE, 0xFFFF}};
  for (const auto& range : kUnsafe)
    if (c >= range.first && c <= range.last) return true;
  return false;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_character(text, at);
    if (c == kReplacement && at - start == 1)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[start]));
    else if (is_unsafe(c))
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += text.substr(start, at - start);
  }
  return out;
}

}  // namespace sdft
