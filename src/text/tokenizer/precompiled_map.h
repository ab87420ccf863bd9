// SentencePiece's compiled normalization map (precompiled_charsmap): a double-array trie of byte strings and,
// for each, its replacement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/growth.h"

namespace sdft {

class PrecompiledMap {
 public:
  // `blob`: trie size (u32), trie, replacements that end in NUL. Throws Error(kInput) naming `where`.
  PrecompiledMap(std::string_view blob, const std::string& where);
  // Grapheme by grapheme where the map has a whole short one, else character by character, as HF does it.
  std::string apply(std::string_view text, const Growth& growth) const;
  // The longest prefix of `text` which the map knows, as SentencePiece looks for it; size 0: none.
  struct Match {
    size_t size = 0;
    std::string_view replacement;
  };
  Match longest_match(std::string_view text) const;

 private:
  // Calls use(size, replacement) for each prefix of `part` which the map knows, shortest first, until it
  // returns false.
  template <typename Use>
  void find_prefixes(std::string_view part, Use use) const;
  std::optional<std::string_view> replacement(std::string_view part) const;

  std::string where_;
  std::vector<uint32_t> trie_;
  std::string replacements_;
};

std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace sdft
