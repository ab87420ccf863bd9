#include "data/code_points.h"

#include "base/utf8.h"

namespace sdft {

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
