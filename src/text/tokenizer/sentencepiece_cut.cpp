#include <algorithm>
#include <cfloat>
#include <unordered_map>

#include "text/tokenizer/growth.h"
#include "text/tokenizer/sentencepiece_pieces.h"

namespace sdft {
namespace {

using Cuts = std::vector<SentencePieceCut>;
using Type = SentencePieceType;

constexpr std::string_view kSpace = "▁";
constexpr uint32_t kNobody = ~0u;

// Byte pair encoding: of all neighbours that together are a piece, those with the highest score, the leftmost
// among equals, become one.
class BpeLine {
 public:
  BpeLine(const SentencePieces& pieces, std::string_view text) : pieces_(pieces), text_(text) {}

  void cut(Cuts& cuts) {
    split();
    for (uint32_t i = 1; i < symbols_.size(); ++i) offer(i - 1, i);
    while (!agenda_.empty()) {
      stop_if_interrupted();
      std::pop_heap(agenda_.begin(), agenda_.end());
      const Pair pair = agenda_.back();
      agenda_.pop_back();
      merge(pair);
    }
    for (uint32_t i = 0; i != kNobody; i = symbols_[i].next) append(text_of(symbols_[i]), cuts);
  }

 private:
  struct Symbol {
    uint32_t begin, size;  // size 0: has become part of its left neighbour
    uint32_t previous, next;
    bool whole;  // user-defined
  };
  struct Pair {
    float score;
    uint32_t left, right, size;
    bool operator<(const Pair& other) const {  // for a heap: the greatest comes first
      return score < other.score || (score == other.score && left > other.left);
    }
  };

  std::string_view text_of(const Symbol& symbol) const { return text_.substr(symbol.begin, symbol.size); }

  void split() {
    for (size_t at = 0; at < text_.size();) {
      const size_t whole = pieces_.user_defined_prefix(text_.substr(at));
      const size_t size = whole > 0 ? whole : first_character(text_.substr(at));
      const auto i = static_cast<uint32_t>(symbols_.size());
      symbols_.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(size), i - 1, i + 1, whole > 0});
      at += size;
    }
    symbols_.back().next = kNobody;  // and 0 - 1 is kNobody already
  }

  void offer(uint32_t left, uint32_t right) {
    if (left == kNobody || right == kNobody) return;
    const Symbol &a = symbols_[left], &b = symbols_[right];
    if (a.whole || b.whole || a.size + b.size > pieces_.longest) return;
    const int32_t id = pieces_.ordinary.find(text_.substr(a.begin, a.size + b.size));
    if (id == TokenTable::kNone) return;
    agenda_.push_back({pieces_.scores[id], left, right, a.size + b.size});
    std::push_heap(agenda_.begin(), agenda_.end());
    if (pieces_.types[id] == Type::kUnused) halves_[id] = {text_of(a), text_of(b)};
  }

  void merge(const Pair& pair) {
    Symbol &left = symbols_[pair.left], &right = symbols_[pair.right];
    // One of them has been merged with another in the meantime.
    if (left.size == 0 || right.size == 0 || left.size + right.size != pair.size) return;
    left.size = pair.size;
    left.next = right.next;
    if (right.next != kNobody) symbols_[right.next].previous = pair.left;
    right.size = 0;
    offer(left.previous, pair.left);
    offer(pair.left, left.next);
  }

  // An unused piece falls apart again into what it was last made of, anywhere in the line.
  void append(std::string_view piece, Cuts& cuts) {
    std::vector<std::string_view> stack = {piece};
    while (!stack.empty()) {
      const std::string_view top = stack.back();
      stack.pop_back();
      const int32_t id = pieces_.find(top);
      const auto halves = pieces_.types[id] == Type::kUnused ? halves_.find(id) : halves_.end();
      if (halves == halves_.end()) {
        cuts.push_back({top, id});
      } else {
        stack.push_back(halves->second.second);
        stack.push_back(halves->second.first);
      }
    }
  }

  const SentencePieces& pieces_;
  std::string_view text_;
  std::vector<Symbol> symbols_;
  std::vector<Pair> agenda_;                                                           // a heap
  std::unordered_map<int32_t, std::pair<std::string_view, std::string_view>> halves_;  // of unused pieces
};

}  // namespace

void cut_bpe(const SentencePieces& pieces, std::string_view text, Cuts& cuts) {
  check_word_size(text.size());
  if (!text.empty()) BpeLine(pieces, text).cut(cuts);
}

void cut_words(const SentencePieces& pieces, std::string_view text, Cuts& cuts) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(kSpace, begin + 1), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    cuts.push_back({word, pieces.find(word)});
    begin = end;
  }
}

void cut_characters(const SentencePieces& pieces, std::string_view text, Cuts& cuts) {
  while (!text.empty()) {
    const size_t whole = pieces.user_defined_prefix(text);
    const std::string_view piece = text.substr(0, whole > 0 ? whole : first_character(text));
    cuts.push_back({piece, pieces.find(piece)});
    text.remove_prefix(piece.size());
  }
}

SentencePieceUnigram make_sentencepiece_unigram(const SentencePieces& pieces) {
  SentencePieceUnigram unigram;
  float lowest = FLT_MAX;
  unigram.highest = FLT_MIN;  // not -FLT_MAX: the library's slip decides how user-defined pieces compete
  for (int32_t id = 0; id < static_cast<int32_t>(pieces.types.size()); ++id) {
    if (pieces.types[id] == Type::kNormal) {
      lowest = std::min(lowest, pieces.scores[id]);
      unigram.highest = std::max(unigram.highest, pieces.scores[id]);
    }
    if (pieces.types[id] == Type::kNormal || pieces.types[id] == Type::kUserDefined)
      unigram.tree.add(pieces.ordinary.token(id), id);
  }
  constexpr float kUnkPenalty = 10;
  unigram.unk_score = lowest - kUnkPenalty;
  return unigram;
}

void cut_unigram(const SentencePieces& pieces, const SentencePieceUnigram& unigram, std::string_view text,
                 Cuts& cuts) {
  check_word_size(text.size());
  struct Node {  // the best way to a place in the text
    float score = 0;
    int32_t id = TokenTable::kNone;
    size_t begin = std::string_view::npos;  // of its last piece
  };
  std::vector<Node> best(text.size() + 1);
  // Sums are compared before they are rounded to float, as the library does it.
  auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    Node& node = best[end];
    if (node.begin == std::string_view::npos || score > node.score)
      node = {static_cast<float>(score), id, begin};
  };
  for (size_t begin = 0; begin < text.size();) {
    stop_if_interrupted();
    const size_t character = first_character(text.substr(begin));
    const float so_far = best[begin].score;
    bool single = false;  // the character alone is a piece
    unigram.tree.find_prefixes(text.substr(begin), [&](size_t length, int32_t id) {
      const double score = pieces.types[id] == Type::kUserDefined
                               ? static_cast<float>(length) * unigram.highest - 0.1
                               : pieces.scores[id];
      offer(begin, begin + length, id, score + so_far);
      single = single || length == character;
    });
    if (!single) offer(begin, begin + character, pieces.unk, unigram.unk_score + so_far);
    begin += character;
  }
  const size_t first = cuts.size();
  for (size_t end = text.size(); end > 0; end = best[end].begin)
    cuts.push_back({text.substr(best[end].begin, end - best[end].begin), best[end].id});
  std::reverse(cuts.begin() + static_cast<std::ptrdiff_t>(first), cuts.end());
}

}  // namespace sdft
