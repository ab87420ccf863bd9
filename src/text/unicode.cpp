#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include "base/utf8.h"

namespace sdft {
namespace {

constexpr char32_t kHanBlocks[][2] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df},
                                      {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf},
                                      {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
// Characters that Unicode takes apart only since 12.1: Hugging Face's normalizers leave them as they are.
constexpr char32_t kNotTakenApart[][2] = {
    {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xab69, 0xab69},   {0x10781, 0x107ba},
    {0x11938, 0x11938}, {0x1e030, 0x1e06d}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9},
};
constexpr char32_t kCapitalIWithDot = 0x130;

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool within(utf8proc_category_t value, utf8proc_category_t first, utf8proc_category_t last) {
  return value >= first && value <= last;
}

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

bool is_unicode_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_unicode_number(char32_t c) {
  if (is_ascii(c)) return c >= '0' && c <= '9';
  return within(category(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool is_unicode_punctuation(char32_t c) {
  if (is_ascii(c))
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  return within(category(c), UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool is_unicode_mark(char32_t c) { return within(category(c), UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME); }
bool is_nonspacing_mark(char32_t c) { return category(c) == UTF8PROC_CATEGORY_MN; }

bool is_unicode_other(char32_t c) { return within(category(c), UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO); }

bool is_word_character(char32_t c) {
  const utf8proc_category_t value = category(c);
  return within(value, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO) || is_unicode_mark(c) ||
         value == UTF8PROC_CATEGORY_ND || value == UTF8PROC_CATEGORY_NL || value == UTF8PROC_CATEGORY_PC ||
         c == 0x200c || c == 0x200d ||    // joiners
         (c >= 0x24b6 && c <= 0x24e9) ||  // letters in circles and squares are alphabetic
         (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}

bool is_cjk_ideograph(char32_t c) {
  for (const auto& block : kHanBlocks)
    if (c >= block[0] && c <= block[1]) return true;
  return false;
}

std::string unicode_lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t c = utf8_next(text, at);
    if (c == kCapitalIWithDot) {  // the one character whose lower case is two
      out += "i\xcc\x87";
    } else {
      utf8_append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return out;
}

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

size_t grapheme_end(std::string_view text, size_t at) {
  utf8proc_int32_t state = 0;
  auto previous = static_cast<utf8proc_int32_t>(utf8_next(text, at));
  while (at < text.size()) {
    size_t behind = at;
    const auto next = static_cast<utf8proc_int32_t>(utf8_next(text, behind));
    if (utf8proc_grapheme_break_stateful(previous, next, &state)) break;
    previous = next;
    at = behind;
  }
  return at;
}

}  // namespace sdft
