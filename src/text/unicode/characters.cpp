#include "text/unicode/characters.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace sdft {
namespace {

constexpr char32_t kHanBlocks[][2] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df},
                                      {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf},
                                      {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
constexpr char32_t kCapitalIWithDot = 0x130;

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool within(utf8proc_category_t value, utf8proc_category_t first, utf8proc_category_t last) {
  return value >= first && value <= last;
}

bool is_ascii(char32_t c) { return c < 0x80; }

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

bool is_space(char32_t c) { return is_unicode_space(c) || (c >= 0x1c && c <= 0x1f); }

bool is_cased(char32_t c) { return within(category(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LT); }
bool is_alpha(char32_t c) { return within(category(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO); }
bool is_alnum(char32_t c) { return is_alpha(c) || is_unicode_number(c); }
bool is_word(char32_t c) { return c == '_' || is_alnum(c); }

bool is_printable(char32_t c) {
  const utf8proc_category_t value = category(c);
  return c == ' ' || !(value == UTF8PROC_CATEGORY_CN || is_unicode_other(c) ||
                       within(value, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP));
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

std::optional<int> digit_value(char32_t c) {
  if (is_ascii(c)) return c >= '0' && c <= '9' ? std::optional<int>(static_cast<int>(c - '0')) : std::nullopt;
  if (!is_decimal(c)) return std::nullopt;
  int before = 0;  // the digits of a script follow each other from zero on, in whole tens
  while (is_decimal(c - static_cast<char32_t>(before) - 1)) ++before;
  return before % 10;
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
