#include "data/code_points.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace sdft {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  for (size_t at = 0; at < text.size();) codes += utf8_next_lossy(text, at);
  return codes;
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  for (char32_t c : text) utf8_append(bytes, c);
  return bytes;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0x2028 || c == 0x2029 ||
         (c >= 0x80 && category(c) == UTF8PROC_CATEGORY_ZS);
}

bool is_word(char32_t c) {
  if (c == '_') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::optional<int> digit_value(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? std::optional<int>(static_cast<int>(c - '0')) : std::nullopt;
  if (category(c) != UTF8PROC_CATEGORY_ND) return std::nullopt;
  int before = 0;  // the digits of a script follow each other from zero on, in whole tens
  while (category(c - static_cast<char32_t>(before) - 1) == UTF8PROC_CATEGORY_ND) ++before;
  return before % 10;
}

std::string collapse_space(std::string_view text) {
  std::u32string out;
  for (char32_t c : code_points(text)) {
    if (!is_space(c))
      out += c;
    else if (!out.empty() && out.back() != U' ')
      out += U' ';
  }
  if (!out.empty() && out.back() == U' ') out.pop_back();
  return to_utf8(out);
}

}  // namespace sdft
