// Writes SentencePiece models (protobuf), so that tests can have any they like.
#pragma once

#include <string>
#include <vector>

#include "base/protobuf.h"
#include "text/tokenizer/sentencepiece_file.h"

namespace sdft::testing {

// Strings must outlive it.
using SentencePieceSpec = SentencePieceFile;

inline std::string write_sentencepiece(const SentencePieceSpec& spec) {
  ProtobufWriter model;
  for (const auto& piece : spec.pieces) {
    ProtobufWriter message;
    message.text(1, piece.text);
    message.real(2, piece.score);
    message.number(3, static_cast<uint64_t>(piece.type));
    model.text(1, message.bytes());
  }
  ProtobufWriter trainer;
  trainer.number(3, static_cast<uint64_t>(spec.algorithm));
  trainer.number(24, spec.whitespace_as_suffix);
  trainer.number(35, spec.byte_fallback);
  trainer.text(45, spec.unk_piece);
  trainer.text(46, spec.bos_piece);
  trainer.text(47, spec.eos_piece);
  trainer.text(48, spec.pad_piece);
  model.text(2, trainer.bytes());
  ProtobufWriter normalizer;
  normalizer.text(1, "a name, which nobody reads");
  normalizer.text(2, spec.precompiled_map);
  normalizer.number(3, spec.add_dummy_prefix);
  normalizer.number(4, spec.remove_extra_whitespaces);
  normalizer.number(5, spec.escape_whitespaces);
  model.text(3, normalizer.bytes());
  return model.bytes();
}

// "<0x00>" and so on, alive as long as the program.
inline const std::vector<std::string>& byte_piece_texts() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> list;
    const char* digits = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte)
      list.push_back(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">");
    return list;
  }();
  return texts;
}

// <unk>, <s>, </s> with the ids 0, 1, 2; with byte fallback the bytes from 3 on.
inline SentencePieceSpec basic_sentencepiece(SentencePieceAlgorithm algorithm, bool byte_fallback = false) {
  SentencePieceSpec spec;
  spec.algorithm = algorithm;
  spec.byte_fallback = byte_fallback;
  spec.pieces = {{"<unk>", 0, SentencePieceType::kUnknown},
                 {"<s>", 0, SentencePieceType::kControl},
                 {"</s>", 0, SentencePieceType::kControl}};
  if (byte_fallback)
    for (const auto& text : byte_piece_texts()) spec.pieces.push_back({text, 0, SentencePieceType::kByte});
  return spec;
}

}  // namespace sdft::testing
