// Writes SentencePiece models (protobuf), so that tests can have any they like.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer/sentencepiece_file.h"

namespace sdft::testing {

// Strings must outlive it.
using SentencePieceSpec = SentencePieceFile;

inline std::string write_sentencepiece(const SentencePieceSpec& spec) {
  std::string written;
  protozero::pbf_writer model(written);
  for (const auto& piece : spec.pieces) {
    protozero::pbf_writer message(model, 1);
    message.add_string(1, piece.text.data(), piece.text.size());
    message.add_float(2, piece.score);
    message.add_enum(3, static_cast<int32_t>(piece.type));
  }
  {
    protozero::pbf_writer trainer(model, 2);
    trainer.add_enum(3, static_cast<int32_t>(spec.algorithm));
    trainer.add_bool(24, spec.whitespace_as_suffix);
    trainer.add_bool(35, spec.byte_fallback);
    for (const auto& [field, piece] : {std::pair(45u, spec.unk_piece),
                                       {46u, spec.bos_piece},
                                       {47u, spec.eos_piece},
                                       {48u, spec.pad_piece}})
      trainer.add_string(field, piece.data(), piece.size());
  }
  protozero::pbf_writer normalizer(model, 3);
  normalizer.add_string(1, "a name, which nobody reads");
  normalizer.add_string(2, spec.precompiled_map.data(), spec.precompiled_map.size());
  normalizer.add_bool(3, spec.add_dummy_prefix);
  normalizer.add_bool(4, spec.remove_extra_whitespaces);
  normalizer.add_bool(5, spec.escape_whitespaces);
  normalizer.commit();
  return written;
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
