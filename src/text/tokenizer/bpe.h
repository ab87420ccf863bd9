// Byte pair encoding of one word: the adjacent pair with the lowest rank is merged first, the leftmost of
// equals.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "text/tokenizer/token_table.h"
#include "text/tokenizer/word_cache.h"

namespace sdft {

struct BpeOptions {
  std::string unk_token;                  // "": characters without a token vanish, as in HF
  std::string continuing_subword_prefix;  // before every character but a word's first
  std::string end_of_word_suffix;         // behind a word's last character
  bool fuse_unk = false;                  // several unknown characters in a row give one token
  bool byte_fallback = false;  // unknown characters become <0x..> tokens, where all of them are there
  bool ignore_merges = false;  // a word that is a token needs no merges
  bool byte_level = false;     // words are raw bytes, tokens are written in byte-level characters
};

// What encoding needs besides the model.
struct BpeScratch {
  struct Node {
    int32_t id;
    uint32_t previous, next;
  };
  std::vector<int32_t> symbols;             // the word being merged
  std::vector<const struct BpePair*> pair;  // pair[i]: of symbols i and i + 1
  std::vector<Node> nodes;
  std::vector<uint64_t> heap;  // rank in the high half, place in the low half
};

struct BpePair {
  uint64_t key;
  uint32_t rank;
  int32_t merged;
};

class BpeModel {
 public:
  // `rank` is a merge's place in the order of merges. Throws Error(kInput) naming `where` and the piece that
  // the vocabulary lacks.
  struct Merge {
    int32_t left, right, merged;
    uint32_t rank;
  };
  BpeModel(TokenTable vocabulary, const std::vector<Merge>& merges, BpeOptions options,
           const std::string& where);

  // Throws Error(kInput) naming `where` if it needs unk_token, but that is not in the vocabulary.
  void encode(std::string_view word, BpeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const;
  const TokenTable& vocabulary() const { return vocabulary_; }

 private:
  const BpePair& find_pair(int32_t left, int32_t right) const;
  void add_pair(const Merge& merge);
  void collect_joints(const std::vector<Merge>& merges);
  size_t part_end(std::string_view word, size_t begin) const;
  int32_t token_of_character(char32_t c, std::string_view bytes) const;
  void first_symbols(std::string_view word, std::vector<int32_t>& symbols) const;
  void encode_part(std::string_view part, BpeScratch& scratch, WordCache& cache,
                   std::vector<int32_t>& ids) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;

  TokenTable vocabulary_;
  BpeOptions options_;
  std::string where_;
  int32_t unk_ = TokenTable::kNone;
  std::vector<int32_t>
      byte_tokens_;  // byte-level: of each byte; else the <0x..> tokens, empty where one lacks
  std::vector<int32_t> character_tokens_;  // of the characters below U+10000
  std::vector<BpePair> pairs_;             // open addressing, a power of two
  // Pairs of characters that some merge joins. Between other characters a word can be cut without changing
  // its tokens.
  std::unordered_set<uint64_t> joints_;
  bool can_cut_ = false;
};

}  // namespace sdft
