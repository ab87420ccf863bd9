#include "text/tokenizer/normalizer.h"

#include "base/utf8.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/precompiled_map.h"
#include "text/unicode/characters.h"

namespace sdft {
namespace {

using Kind = NormalizerStep::Kind;

template <typename Change>
std::string map_characters(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) change(utf8_next(text, at), out);
  return out;
}

template <typename Drop>
std::string drop_characters(std::string_view text, Drop drop) {
  return map_characters(text, [&](char32_t c, std::string& out) {
    if (!drop(c)) utf8_append(out, c);
  });
}

std::string strip_spaces(std::string_view text, bool left, bool right) {
  size_t begin = 0, end = text.size();
  for (size_t at = 0; left && at < end; begin = at)
    if (!is_unicode_space(utf8_next(text, at))) break;
  while (right && end > begin) {
    const size_t last = utf8_previous(text, end);
    size_t at = last;
    if (!is_unicode_space(utf8_next(text, at))) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

void clean_bert(char32_t c, std::string& out) {
  const bool plain_space = c == '\t' || c == '\n' || c == '\r';
  if (c == 0 || c == 0xfffd || (!plain_space && is_unicode_other(c))) return;
  utf8_append(out, is_unicode_space(c) ? U' ' : c);
}

void surround_chinese(char32_t c, std::string& out) {
  const bool chinese = is_cjk_ideograph(c);
  if (chinese) out += ' ';
  utf8_append(out, c);
  if (chinese) out += ' ';
}

void clean_nmt(char32_t c, std::string& out) {
  if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f)
    return;
  const bool space = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
                     (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xfeff || c == 0xfffd;
  utf8_append(out, space ? U' ' : c);
}

std::string apply(const NormalizerStep& step, std::string text, RegexScratch& scratch, const Growth& growth) {
  switch (step.kind) {
    case Kind::kForm:
      return unicode_normalize(text, step.form);
    case Kind::kLowercase:
      return unicode_lowercase(text);
    case Kind::kStripAccents:
      return drop_characters(text, is_unicode_mark);
    case Kind::kStripNonspacing:
      return drop_characters(text, is_nonspacing_mark);
    case Kind::kStrip:
      return strip_spaces(text, step.left, step.right);
    case Kind::kPrepend:
      return text.empty() ? text : step.content + text;
    case Kind::kReplace:
      return replace_all(step.pattern, step.content, text, scratch, growth, step.where);
    case Kind::kCleanText:
      return map_characters(text, clean_bert);
    case Kind::kSurroundChinese:
      return map_characters(text, surround_chinese);
    case Kind::kNmt:
      return map_characters(text, clean_nmt);
    case Kind::kPrecompiled:
      return step.map->apply(text, growth);
    case Kind::kByteCharacters:
      return to_byte_level(text);
  }
  return text;
}

}  // namespace

std::string replace_all(const Pattern& pattern, const std::string& content, std::string_view text,
                        RegexScratch& scratch, const Growth& growth, const std::string& where) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for_each_segment(pattern, text, scratch, [&](size_t begin, size_t end, bool is_match) {
    out += is_match ? std::string_view(content) : text.substr(begin, end - begin);
    growth.check(out.size(), where);
  });
  return out;
}

std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                      RegexScratch& scratch) {
  std::string out(text);
  const Growth growth(text.size());
  for (const NormalizerStep& step : steps) {
    out = apply(step, std::move(out), scratch, growth);
    growth.check(out.size(), step.where);
  }
  return out;
}

}  // namespace sdft
