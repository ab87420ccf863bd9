// The pieces of a SentencePiece model, and the four ways to cut text into them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/sentencepiece_file.h"
#include "text/tokenizer/token_table.h"
#include "text/tokenizer/unigram.h"

namespace sdft {

struct SentencePieces {
  TokenTable ordinary;  // normal, user-defined and unused pieces: what text is cut into
  TokenTable reserved;  // unknown, control and byte pieces
  std::vector<float> scores;
  std::vector<SentencePieceType> types;
  PrefixTree user_defined;  // always kept whole
  bool has_user_defined = false, has_unused = false;
  size_t longest = 0;                    // bytes of an ordinary piece
  int32_t unk = TokenTable::kNone;       // there always is one
  std::vector<int32_t> byte_tokens;      // 256 ids, or none without byte fallback
  std::array<bool, 256> before_space{};  // bytes that have a "▁" behind them in some ordinary piece

  // A reserved one goes first; unk where there is none.
  int32_t find(std::string_view text) const;
  // Bytes of the longest user-defined piece that `text` starts with, 0: none.
  size_t user_defined_prefix(std::string_view text) const;
};

// Throws Error(kInput) naming `where`.
SentencePieces make_sentencepieces(const SentencePieceFile& file, const std::string& where);

// Bytes of the first character; `text` is not empty and may be damaged.
size_t first_character(std::string_view text);

struct SentencePieceCut {
  std::string_view text;
  int32_t id;
};

// Where the word that starts at `begin` ends: BPE cuts the words as it cuts the whole text, for no piece goes
// across. Only while no piece is unused.
size_t bpe_word_end(const SentencePieces& pieces, std::string_view text, size_t begin);

// `text` is normalized. All append to `cuts`, and the cuts make up the whole text.
void cut_bpe(const SentencePieces& pieces, std::string_view text, std::vector<SentencePieceCut>& cuts);
void cut_words(const SentencePieces& pieces, std::string_view text, std::vector<SentencePieceCut>& cuts);
void cut_characters(const SentencePieces& pieces, std::string_view text, std::vector<SentencePieceCut>& cuts);

// What Unigram needs besides.
struct SentencePieceUnigram {
  PrefixTree tree;  // of the ordinary pieces but the unused ones
  float highest = 0, unk_score = 0;
};
SentencePieceUnigram make_sentencepiece_unigram(const SentencePieces& pieces);
void cut_unigram(const SentencePieces& pieces, const SentencePieceUnigram& unigram, std::string_view text,
                 std::vector<SentencePieceCut>& cuts);

}  // namespace sdft
