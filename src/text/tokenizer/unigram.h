// Unigram language model (Kudo 2018): the most probable way to cut a word into pieces of the vocabulary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/token_table.h"
#include "text/tokenizer/word_cache.h"

namespace sdft {

// Byte strings and their values, found by prefix.
class PrefixTree {
 public:
  PrefixTree();
  void add(std::string_view text, int32_t value);
  // Calls use(length, value) for each text that `text` starts with, shortest first.
  template <typename Use>
  void find_prefixes(std::string_view text, Use use) const {
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const Edge& edge = edges_[slot(node, static_cast<unsigned char>(text[i]))];
      if (edge.key == kFree) return;
      node = edge.node;
      if (edge.value != TokenTable::kNone) use(i + 1, edge.value);
    }
  }

 private:
  static constexpr uint64_t kFree = ~0ull;
  struct Edge {
    uint64_t key = kFree;  // the node it leaves, and its byte
    uint32_t node = 0;
    int32_t value = TokenTable::kNone;
  };
  size_t slot(uint32_t node, unsigned char byte) const;
  void grow();

  std::vector<Edge> edges_;  // open addressing, a power of two
  uint32_t nodes_ = 1;
};

struct UnigramScratch {
  struct Node {  // the best way to a place in the word
    double score;
    uint32_t begin;  // of its last piece
    int32_t id;
  };
  std::vector<Node> best;
  std::vector<int32_t> ids;
};

class UnigramModel {
 public:
  // scores[i] belongs to id i; unk: -1 where there is none. Throws Error(kInput) naming `where`.
  UnigramModel(TokenTable vocabulary, std::vector<double> scores, int32_t unk, bool byte_fallback,
               std::string where);
  void encode(std::string_view word, UnigramScratch& scratch, WordCache& cache,
              std::vector<int32_t>& ids) const;
  const TokenTable& vocabulary() const { return vocabulary_; }

 private:
  void find_best(std::string_view word, std::vector<UnigramScratch::Node>& best) const;
  void append_reversed(std::string_view piece, std::vector<int32_t>& ids) const;

  TokenTable vocabulary_;
  PrefixTree tree_;
  std::vector<double> scores_;
  int32_t unk_;
  double unk_score_;
  std::vector<int32_t> byte_tokens_;  // empty without byte_fallback
  std::string where_;
};

}  // namespace sdft
