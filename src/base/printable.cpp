#include "base/printable.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace sdft {

namespace {
constexpr char32_t kReplacement = 0xFFFD;
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
    const char32_t c = utf8_next_lossy(text, at);
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
