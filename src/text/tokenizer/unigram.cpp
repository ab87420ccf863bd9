#include "text/tokenizer/unigram.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer/growth.h"
#include "text/tokenizer/token_decoder.h"

namespace sdft {
namespace {

constexpr double kUnkPenalty = 10.0;  // below the least probable piece
constexpr uint32_t kUnreached = ~0u;

}  // namespace

PrefixTree::PrefixTree() : edges_(1024) {}

size_t PrefixTree::slot(uint32_t node, unsigned char byte) const {
  const uint64_t key = static_cast<uint64_t>(node) << 8 | byte;
  const size_t mask = edges_.size() - 1;
  size_t at = (key * 0x9e3779b97f4a7c15ull >> 32) & mask;
  while (edges_[at].key != key && edges_[at].key != kFree) at = (at + 1) & mask;
  return at;
}

void PrefixTree::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old)
    if (edge.key != kFree) edges_[slot(static_cast<uint32_t>(edge.key >> 8), edge.key & 0xff)] = edge;
}

void PrefixTree::add(std::string_view text, int32_t value) {
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (2 * nodes_ >= edges_.size()) grow();
    const auto byte = static_cast<unsigned char>(text[i]);
    Edge& edge = edges_[slot(node, byte)];
    if (edge.key == kFree) {
      edge.key = static_cast<uint64_t>(node) << 8 | byte;
      edge.node = nodes_++;
    }
    node = edge.node;
    if (i + 1 == text.size()) edge.value = value;
  }
}

UnigramModel::UnigramModel(TokenTable vocabulary, std::vector<double> scores, int32_t unk, bool byte_fallback,
                           std::string where)
    : vocabulary_(std::move(vocabulary)), scores_(std::move(scores)), unk_(unk), where_(std::move(where)) {
  for (int32_t id = 0; id < vocabulary_.end(); ++id) tree_.add(vocabulary_.token(id), id);
  unk_score_ = (scores_.empty() ? 0.0 : *std::min_element(scores_.begin(), scores_.end())) - kUnkPenalty;
  for (int byte = 0; byte_fallback && byte < 256; ++byte)
    byte_tokens_.push_back(vocabulary_.find(byte_token(byte)));
}

void UnigramModel::find_best(std::string_view word, std::vector<UnigramScratch::Node>& best) const {
  best.assign(word.size() + 1, {0.0, kUnreached, unk_});
  auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    auto& node = best[end];
    if (node.begin == kUnreached || score > node.score) node = {score, static_cast<uint32_t>(begin), id};
  };
  for (size_t begin = 0; begin < word.size();) {
    stop_if_interrupted();
    const size_t character = utf8_length(static_cast<unsigned char>(word[begin]));
    const double so_far = best[begin].score;
    bool single = false;  // the character alone is a piece
    tree_.find_prefixes(word.substr(begin), [&](size_t length, int32_t id) {
      offer(begin, begin + length, id, so_far + scores_[id]);
      single = single || length == character;
    });
    if (!single) {
      if (unk_ == TokenTable::kNone)
        fail_input(where_, "a text has a character that is not in the vocabulary, which has no unk_id");
      offer(begin, begin + character, unk_, so_far + unk_score_);
    }
    begin += character;
  }
}

void UnigramModel::append_reversed(std::string_view piece, std::vector<int32_t>& ids) const {
  const int32_t id = vocabulary_.find(piece);
  if (id != TokenTable::kNone) {
    ids.push_back(id);
  } else if (!byte_tokens_.empty() && std::all_of(piece.begin(), piece.end(), [&](unsigned char b) {
               return byte_tokens_[b] != TokenTable::kNone;
             })) {
    for (size_t i = piece.size(); i-- > 0;) ids.push_back(byte_tokens_[static_cast<unsigned char>(piece[i])]);
  } else {
    ids.push_back(unk_);
  }
}

void UnigramModel::encode(std::string_view word, UnigramScratch& scratch, WordCache& cache,
                          std::vector<int32_t>& ids) const {
  if (cache.get(word, ids)) return;
  check_word_size(word.size());
  find_best(word, scratch.best);
  auto& found = scratch.ids;
  found.clear();
  size_t unknown_end = 0;  // of a run of unknown pieces, which becomes one
  for (size_t end = word.size(); end > 0;) {
    const auto& node = scratch.best[end];
    const bool unknown = node.id == unk_;
    if (unknown && unknown_end == 0) unknown_end = end;
    if (!unknown) {
      if (unknown_end > 0) append_reversed(word.substr(end, unknown_end - end), found);
      unknown_end = 0;
      found.push_back(node.id);
    }
    end = node.begin;
  }
  if (unknown_end > 0) append_reversed(word.substr(0, unknown_end), found);
  std::reverse(found.begin(), found.end());
  ids.insert(ids.end(), found.begin(), found.end());
  cache.put(word, found.data(), found.size());
}

}  // namespace sdft
