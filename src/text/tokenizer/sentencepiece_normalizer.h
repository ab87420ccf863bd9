// How SentencePiece writes a text before it cuts it: mapped characters, single spaces, "▁" for a space.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/tokenizer/precompiled_map.h"
#include "text/tokenizer/sentencepiece_pieces.h"

namespace sdft {

struct SentencePieceNormalizer {
  std::optional<PrecompiledMap> map;
  bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces, whitespace_as_suffix;
  std::string where;  // the file, for messages
};

// Throws Error(kInput) naming `where`.
SentencePieceNormalizer make_sentencepiece_normalizer(const SentencePieceFile& file,
                                                      const std::string& where);

// Throws Error(kInput) where the map makes the text grow without bound. User-defined pieces stay as they are.
// A byte that is not UTF-8 becomes U+FFFD.
std::string normalize_for_sentencepiece(const SentencePieceNormalizer& normalizer,
                                        const SentencePieces& pieces, std::string_view text);

}  // namespace sdft
