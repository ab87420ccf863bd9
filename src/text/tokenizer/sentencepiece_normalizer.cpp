#include "text/tokenizer/sentencepiece_normalizer.h"

#include "base/utf8.h"
#include "text/tokenizer/growth.h"

namespace sdft {
namespace {

constexpr std::string_view kSpace = "▁";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

struct Mapped {
  size_t size;            // bytes of the text
  std::string_view text;  // what stands for them
};

// The start of `text`: a user-defined piece, the longest part that the map knows, or a character.
Mapped map_start(const SentencePieceNormalizer& normalizer, const SentencePieces& pieces,
                 std::string_view text) {
  if (const size_t size = pieces.user_defined_prefix(text)) return {size, text.substr(0, size)};
  if (normalizer.map) {
    const auto match = normalizer.map->longest_match(text);
    if (match.size > 0) return {match.size, match.replacement};
  }
  const std::string_view character = text.substr(0, first_character(text));
  if (utf8_fault(character) != std::string_view::npos) return {1, kReplacement};
  return {character.size(), character};
}

}  // namespace

SentencePieceNormalizer make_sentencepiece_normalizer(const SentencePieceFile& file,
                                                      const std::string& where) {
  SentencePieceNormalizer normalizer{std::nullopt,
                                     file.add_dummy_prefix,
                                     file.remove_extra_whitespaces,
                                     file.escape_whitespaces,
                                     file.whitespace_as_suffix,
                                     where};
  if (!file.precompiled_map.empty()) normalizer.map.emplace(file.precompiled_map, where);
  return normalizer;
}

std::string normalize_for_sentencepiece(const SentencePieceNormalizer& normalizer,
                                        const SentencePieces& pieces, std::string_view text) {
  const bool single = normalizer.remove_extra_whitespaces;
  while (single && !text.empty()) {
    const Mapped start = map_start(normalizer, pieces, text);
    if (start.text != " ") break;
    text.remove_prefix(start.size);
  }
  std::string out;
  if (text.empty()) return out;
  out.reserve(text.size() + text.size() / 2);
  const std::string_view space = normalizer.escape_whitespaces ? kSpace : " ";
  if (normalizer.add_dummy_prefix && !normalizer.whitespace_as_suffix) out += space;
  bool after_space = single;
  const Growth growth(text.size());
  while (!text.empty()) {
    growth.check(out.size(), normalizer.where);
    auto [size, mapped] = map_start(normalizer, pieces, text);
    while (after_space && !mapped.empty() && mapped[0] == ' ') mapped.remove_prefix(1);
    for (char c : mapped) {
      if (c == ' ')
        out += space;
      else
        out += c;
    }
    if (!mapped.empty()) after_space = single && mapped.back() == ' ';
    text.remove_prefix(size);
  }
  while (single && ends_with(out, space)) out.resize(out.size() - space.size());
  if (normalizer.add_dummy_prefix && normalizer.whitespace_as_suffix) out += space;
  return out;
}

}  // namespace sdft
