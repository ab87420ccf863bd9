// WordPiece (BERT): the longest piece that a word starts with, again and again. And WordLevel: whole words
// only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/token_table.h"
#include "text/tokenizer/unigram.h"
#include "text/tokenizer/word_cache.h"

namespace sdft {

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";  // of every piece but a word's first
  size_t max_input_chars_per_word = 100;         // longer words are unknown
  bool whole_words = false;                      // WordLevel
};

class WordPieceModel {
 public:
  WordPieceModel(TokenTable vocabulary, WordPieceOptions options, const std::string& where);
  // Throws Error(kInput) naming `where` if it needs unk_token, but that is not in the vocabulary.
  void encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const;
  const TokenTable& vocabulary() const { return vocabulary_; }

 private:
  int32_t unk() const;
  bool pieces(std::string_view word, std::vector<int32_t>& ids) const;

  TokenTable vocabulary_;
  PrefixTree first_, later_;  // the pieces that may begin a word, and the others without their prefix
  WordPieceOptions options_;
  int32_t unk_;
  std::string where_;
};

}  // namespace sdft
