// A SentencePiece model (tokenizer.model), run by its own library.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_table.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace sdft {

class SentencePieceModel {
 public:
  // legacy: every stretch of text between special tokens gets the model's leading space. Else (Transformers'
  // rule for legacy = false) only the text's very start does, if `prefix_space`. Throws Error(kInput).
  SentencePieceModel(const std::filesystem::path& path, bool legacy, bool prefix_space);

  void encode(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  const TokenTable& vocabulary() const { return vocabulary_; }
  bool starts_with_space() const { return starts_with_space_; }  // decoding takes that space away
  int32_t unk() const;
  int32_t bos() const;  // -1: none
  int32_t eos() const;
  int32_t pad() const;

 private:
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
  TokenTable vocabulary_;
  bool legacy_, starts_with_space_;
  std::vector<int32_t> guard_;  // the ids of the text that keeps leading spaces from being stripped
  std::string guard_text_;
};

}  // namespace sdft
