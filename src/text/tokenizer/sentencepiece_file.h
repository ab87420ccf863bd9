// The protobuf message in a SentencePiece model file (tokenizer.model), as far as encoding needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

enum class SentencePieceType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

enum class SentencePieceAlgorithm : uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

// Strings are views into the bytes that were read.
struct SentencePieceFile {
  struct Piece {
    std::string_view text;
    float score = 0;
    SentencePieceType type = SentencePieceType::kNormal;
  };
  std::vector<Piece> pieces;  // their places are their ids

  SentencePieceAlgorithm algorithm = SentencePieceAlgorithm::kUnigram;
  bool whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::string_view unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";

  std::string_view precompiled_map;  // empty: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Throws Error(kInput) naming `where`.
SentencePieceFile read_sentencepiece_file(std::string_view bytes, const std::string& where);

}  // namespace sdft
