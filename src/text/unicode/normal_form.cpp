#include "text/unicode/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include "base/utf8.h"

namespace sdft {
namespace {

// Characters that Unicode takes apart only since 12.1: Hugging Face's normalizers leave them as they are.
constexpr char32_t kNotTakenApart[][2] = {
    {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xab69, 0xab69},   {0x10781, 0x107ba},
    {0x11938, 0x11938}, {0x1e030, 0x1e06d}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9},
};

bool is_ascii(char32_t c) { return c < 0x80; }

bool is_taken_apart(char32_t c) {
  for (const auto& range : kNotTakenApart)
    if (c >= range[0] && c <= range[1]) return false;
  return true;
}

// utf8proc sorts the marks behind a character by moving each one past the others: a text may have a million
// of them. Here long runs are sorted beforehand, as it would sort them.
constexpr size_t kLongRun = 64;

bool has_long_run_of_marks(std::string_view text) {
  size_t run = 0;
  for (size_t at = 0; at < text.size() && run <= kLongRun;)
    run = utf8proc_get_property(static_cast<utf8proc_int32_t>(utf8_next(text, at)))->combining_class ? run + 1
                                                                                                     : 0;
  return run > kLongRun;
}

std::string with_sorted_marks(std::string_view text, int options) {
  std::vector<utf8proc_int32_t> characters;
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t parts[32];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(utf8_next(text, at)), parts, 32,
                                               static_cast<utf8proc_option_t>(options), &boundary);
    characters.insert(characters.end(), parts, parts + count);
  }
  auto rank = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto begin = characters.begin(); begin != characters.end();) {
    if (rank(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, characters.end(), [&](auto c) { return rank(c) == 0; });
    std::stable_sort(begin, end, [&](auto a, auto b) { return rank(a) < rank(b); });
    begin = end;
  }
  std::string out;
  for (auto c : characters) utf8_append(out, static_cast<char32_t>(c));
  return out;
}

// A maximal stretch that can be normalized alone: no normal form joins an ASCII character with what is before
// it.
std::string normalize_stretch(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  std::string sorted;
  if (has_long_run_of_marks(text)) {
    sorted = with_sorted_marks(text, (options & ~UTF8PROC_COMPOSE) | UTF8PROC_DECOMPOSE);
    text = sorted;
  }
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &result,
                                             static_cast<utf8proc_option_t>(options));
  if (size < 0) throw std::bad_alloc();  // valid UTF-8 cannot fail otherwise
  std::string out(reinterpret_cast<const char*>(result), static_cast<size_t>(size));
  std::free(result);
  return out;
}

}  // namespace

std::string unicode_normalize(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t ascii_end = at;
    while (ascii_end < text.size() && is_ascii(static_cast<unsigned char>(text[ascii_end]))) ++ascii_end;
    if (ascii_end == text.size()) return out.append(text, at);
    const size_t begin =
        ascii_end > at ? ascii_end - 1 : at;  // the last ASCII character may take a combining mark
    size_t end = ascii_end;
    size_t behind = end;
    for (; end < text.size() && !is_ascii(static_cast<unsigned char>(text[end])); end = behind)
      if (!is_taken_apart(utf8_next(text, behind))) break;
    out.append(text, at, begin - at);
    out += normalize_stretch(text.substr(begin, end - begin), form);
    out.append(text, end, behind - end);
    at = behind;
  }
  return out;
}

}  // namespace sdft
