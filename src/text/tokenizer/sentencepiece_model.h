// A SentencePiece model (tokenizer.model). Reads the file and cuts text by itself: the same ids as the
// library by that name, which cannot be linked beside libtorch (both bring a protobuf, and one takes the
// other's place).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/sentencepiece_normalizer.h"
#include "text/tokenizer/sentencepiece_pieces.h"
#include "text/tokenizer/token_table.h"
#include "text/tokenizer/word_cache.h"

namespace sdft {

class SentencePieceModel {
 public:
  // legacy: every stretch of text between special tokens gets the model's leading space. Else (Transformers'
  // rule for legacy = false) only the text's very start does, if `prefix_space`. Throws Error(kInput).
  SentencePieceModel(const std::filesystem::path& path, bool legacy, bool prefix_space);
  // The same for the bytes of a file; errors name `where`.
  SentencePieceModel(std::string_view bytes, const std::string& where, bool legacy, bool prefix_space);

  // `cache` belongs to this model alone.
  void encode(std::string_view text, bool at_start, WordCache& cache, std::vector<int32_t>& ids) const;
  const TokenTable& vocabulary() const { return vocabulary_; }
  // How many spaces at the start decoding takes away: none, one, or, where the model never has several, all.
  size_t leading_spaces() const {
    if (!starts_with_space_) return 0;
    return legacy_ && normalizer_.remove_extra_whitespaces ? SIZE_MAX : 1;
  }
  int32_t unk() const { return unk_; }
  int32_t bos() const { return bos_; }  // -1: none
  int32_t eos() const { return eos_; }
  int32_t pad() const { return pad_; }

 private:
  void cut(std::string_view normalized, std::vector<SentencePieceCut>& cuts) const;
  void encode_line(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const;

  SentencePieceAlgorithm algorithm_;
  SentencePieces pieces_;
  SentencePieceUnigram unigram_;
  SentencePieceNormalizer normalizer_;
  TokenTable vocabulary_;
  int32_t unk_, bos_, eos_, pad_;
  bool legacy_, starts_with_space_;
  std::vector<int32_t> guard_;  // the ids of the text that keeps leading spaces from being stripped
  std::string guard_text_;
};

}  // namespace sdft
