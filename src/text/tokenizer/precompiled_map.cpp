#include "text/tokenizer/precompiled_map.h"

#include <cstring>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode/characters.h"

namespace sdft {
namespace {

constexpr size_t kLongestGrapheme = 5;  // bytes; longer ones go character by character

// A unit of Yata's double-array: see "darts-clone".
bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t value_of(uint32_t unit) { return unit & 0x7fffffffu; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000ffu; }
uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & (1u << 9)) >> 6); }

}  // namespace

PrecompiledMap::PrecompiledMap(std::string_view blob, const std::string& where) : where_(where) {
  uint32_t trie_bytes = 0;
  if (blob.size() >= 4) std::memcpy(&trie_bytes, blob.data(), 4);
  if (blob.size() < 4 || trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes > blob.size() - 4)
    fail_input(where, "the precompiled map is damaged: its trie does not fit into its " +
                          std::to_string(blob.size()) + " bytes");
  trie_.resize(trie_bytes / 4);
  std::memcpy(trie_.data(), blob.data() + 4, trie_bytes);
  replacements_ = blob.substr(4 + trie_bytes);
  if (utf8_fault(replacements_) != std::string_view::npos)
    fail_input(where, "the precompiled map is damaged: a replacement is not UTF-8");
}

template <typename Use>
void PrecompiledMap::find_prefixes(std::string_view part, Use use) const {
  uint32_t at = offset_of(trie_[0]);
  for (size_t i = 0; i < part.size(); ++i) {
    const auto byte = static_cast<unsigned char>(part[i]);
    if (byte == 0) return;
    at ^= byte;
    if (at >= trie_.size() || label_of(trie_[at]) != byte) return;
    const uint32_t unit = trie_[at];
    at ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (at >= trie_.size()) return;
    const uint32_t begin = value_of(trie_[at]);
    if (begin > replacements_.size()) return;
    const std::string_view replacement(replacements_.c_str() + begin);  // up to its NUL
    if (!use(i + 1, replacement)) return;
  }
}

// That of the shortest prefix of `part` which the map knows.
std::optional<std::string_view> PrecompiledMap::replacement(std::string_view part) const {
  std::optional<std::string_view> found;
  find_prefixes(part, [&](size_t, std::string_view text) {
    found = text;
    return false;
  });
  return found;
}

PrecompiledMap::Match PrecompiledMap::longest_match(std::string_view text) const {
  Match longest;
  find_prefixes(text, [&](size_t size, std::string_view replacement) {
    longest = {size, replacement};
    return true;
  });
  return longest;
}

std::string PrecompiledMap::apply(std::string_view text, const Growth& growth) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    growth.check(out.size(), where_);
    const size_t end = grapheme_end(text, at);
    const std::string_view grapheme = text.substr(at, end - at);
    if (grapheme.size() <= kLongestGrapheme) {
      if (auto whole = replacement(grapheme)) {
        out += *whole;
        at = end;
        continue;
      }
    }
    while (at < end) {
      const std::string_view c = text.substr(at, utf8_length(static_cast<unsigned char>(text[at])));
      out += replacement(c).value_or(c);
      growth.check(out.size(), where_);
      at += c.size();
    }
  }
  return out;
}

std::string decode_base64(std::string_view text, const std::string& where) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int held = 0;
  for (size_t i = 0; i < text.size() && text[i] != '='; ++i) {
    const char c = text[i];
    int value = -1;
    if (c >= 'A' && c <= 'Z') value = c - 'A';
    if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
    if (c >= '0' && c <= '9') value = c - '0' + 52;
    if (c == '+') value = 62;
    if (c == '/') value = 63;
    if (value < 0) fail_input(where, "not base64 at character " + std::to_string(i + 1));
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held >= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(bits >> (held -= 8) & 0xff)));
  }
  return out;
}

}  // namespace sdft
