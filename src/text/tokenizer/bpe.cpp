#include "text/tokenizer/bpe.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/growth.h"
#include "text/tokenizer/token_decoder.h"

namespace sdft {
namespace {

constexpr size_t kShortWord = 48;  // symbols up to which looking at all pairs beats keeping them sorted
constexpr char32_t kDirectCharacters = 0x10000;
constexpr size_t kExceptionalWord = 1 << 20;  // its memory is given back
constexpr uint32_t kNowhere = ~0u;

constexpr uint64_t kNoPair = ~0ull;
constexpr uint32_t kNoRank = ~0u;

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}
size_t pair_hash(uint64_t key) { return key * 0x9e3779b97f4a7c15ull >> 32; }
uint64_t joint(char32_t left, char32_t right) { return static_cast<uint64_t>(left) << 32 | right; }

}  // namespace

BpeModel::BpeModel(TokenTable vocabulary, const std::vector<Merge>& merges, BpeOptions options,
                   const std::string& where)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)), where_(where) {
  if (!options_.unk_token.empty()) unk_ = vocabulary_.find(options_.unk_token);
  size_t slots = 64;
  while (slots < 2 * merges.size()) slots *= 2;
  pairs_.resize(slots, {kNoPair, kNoRank, TokenTable::kNone});
  for (const Merge& merge : merges) add_pair(merge);

  if (options_.byte_level || options_.byte_fallback) {
    for (int byte = 0; byte < 256; ++byte)
      byte_tokens_.push_back(
          vocabulary_.find(options_.byte_level ? byte_level_characters()[byte] : byte_token(byte)));
  }
  can_cut_ = !options_.byte_level && !options_.ignore_merges && options_.continuing_subword_prefix.empty() &&
             options_.end_of_word_suffix.empty();
  if (can_cut_) collect_joints(merges);
  if (!options_.byte_level) {
    character_tokens_.assign(kDirectCharacters, TokenTable::kNone);
    for (int32_t id = 0; id < vocabulary_.end(); ++id) {
      const std::string_view token = vocabulary_.token(id);
      if (token.empty() || utf8_length(static_cast<unsigned char>(token[0])) != token.size()) continue;
      size_t at = 0;
      if (const char32_t c = utf8_next(token, at); c < kDirectCharacters) character_tokens_[c] = id;
    }
  }
}

void BpeModel::add_pair(const Merge& merge) {
  const uint64_t key = pair_key(merge.left, merge.right);
  const size_t mask = pairs_.size() - 1;
  size_t slot = pair_hash(key) & mask;
  while (pairs_[slot].key != kNoPair && pairs_[slot].key != key) slot = (slot + 1) & mask;
  pairs_[slot] = {key, merge.rank, merge.merged};  // of two merges of one pair the later counts, as in HF
}

// An empty slot, with rank kNoRank, where no merge joins them.
const BpePair& BpeModel::find_pair(int32_t left, int32_t right) const {
  const uint64_t key = pair_key(left, right);
  const size_t mask = pairs_.size() - 1;
  size_t slot = pair_hash(key) & mask;
  while (pairs_[slot].key != key && pairs_[slot].key != kNoPair) slot = (slot + 1) & mask;
  return pairs_[slot];
}

void BpeModel::collect_joints(const std::vector<Merge>& merges) {
  for (const Merge& merge : merges) {
    const std::string_view left = vocabulary_.token(merge.left), right = vocabulary_.token(merge.right);
    if (left.empty() || right.empty()) continue;
    size_t last = utf8_previous(left, left.size()), first = 0;
    const char32_t before = utf8_next(left, last);
    joints_.insert(joint(before, utf8_next(right, first)));
  }
}

// Whole sentences come as one word where there is no pre-tokenizer, as in Llama 2. They are cut where no
// merge can reach across, mostly before spaces, so that the cache helps. Unknown characters may fuse: no cut
// beside them.
size_t BpeModel::part_end(std::string_view word, size_t begin) const {
  size_t at = begin, previous_begin = begin;
  char32_t previous = utf8_next(word, at);
  while (at < word.size()) {
    const size_t here = at;
    const char32_t c = utf8_next(word, at);
    if (joints_.count(joint(previous, c)) == 0 &&
        token_of_character(previous, word.substr(previous_begin, here - previous_begin)) !=
            TokenTable::kNone &&
        token_of_character(c, word.substr(here, at - here)) != TokenTable::kNone)
      return here;
    previous = c;
    previous_begin = here;
  }
  return word.size();
}

void BpeModel::encode(std::string_view word, BpeScratch& scratch, WordCache& cache,
                      std::vector<int32_t>& ids) const {
  if (cache.get(word, ids)) return;
  if (options_.ignore_merges) {
    const int32_t id = options_.byte_level ? vocabulary_.find(to_byte_level(word)) : vocabulary_.find(word);
    if (id != TokenTable::kNone) {
      cache.put(word, &id, 1);
      ids.push_back(id);
      return;
    }
  }
  if (!can_cut_) return encode_part(word, scratch, cache, ids);
  for (size_t at = 0; at < word.size();) {
    stop_if_interrupted();
    const size_t end = part_end(word, at);
    const std::string_view part = word.substr(at, end - at);
    if (!cache.get(part, ids)) encode_part(part, scratch, cache, ids);
    at = end;
  }
}

void BpeModel::encode_part(std::string_view part, BpeScratch& scratch, WordCache& cache,
                           std::vector<int32_t>& ids) const {
  check_word_size(part.size());
  auto& symbols = scratch.symbols;
  symbols.clear();
  first_symbols(part, symbols);
  if (symbols.size() <= kShortWord)
    merge_short(scratch);
  else
    merge_long(scratch);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  cache.put(part, symbols.data(), symbols.size());
}

int32_t BpeModel::token_of_character(char32_t c, std::string_view bytes) const {
  return c < kDirectCharacters ? character_tokens_[c] : vocabulary_.find(bytes);
}

// The tokens of the single characters (or bytes) that merging starts from.
void BpeModel::first_symbols(std::string_view word, std::vector<int32_t>& symbols) const {
  bool unk_pending = false;
  auto flush_unk = [&] {
    if (unk_pending) symbols.push_back(unk_);
    unk_pending = false;
  };
  auto add_unknown = [&](std::string_view bytes) {
    if (options_.byte_fallback && std::all_of(bytes.begin(), bytes.end(), [&](unsigned char b) {
          return byte_tokens_[b] != TokenTable::kNone;
        })) {
      for (unsigned char b : bytes) symbols.push_back(byte_tokens_[b]);
    } else if (unk_ != TokenTable::kNone) {
      if (!options_.fuse_unk) flush_unk();
      unk_pending = true;
    } else if (!options_.unk_token.empty()) {
      fail_input(where_,
                 "a text needs unk_token '" + options_.unk_token + "', which is not in the vocabulary");
    }
  };
  auto add = [&](int32_t id, std::string_view bytes) {
    if (id == TokenTable::kNone) return add_unknown(bytes);
    flush_unk();
    symbols.push_back(id);
  };
  if (options_.byte_level) {
    for (size_t i = 0; i < word.size(); ++i)
      add(byte_tokens_[static_cast<unsigned char>(word[i])],
          byte_level_characters()[static_cast<unsigned char>(word[i])]);
  } else {
    const bool affixes = !options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty();
    for (size_t at = 0; at < word.size();) {
      const size_t begin = at;
      const char32_t c = utf8_next(word, at);
      const std::string_view bytes = word.substr(begin, at - begin);
      if (!affixes) {
        add(token_of_character(c, bytes), bytes);
        continue;
      }
      stop_if_interrupted();
      std::string token(begin > 0 ? options_.continuing_subword_prefix : "");
      token += bytes;
      if (at == word.size()) token += options_.end_of_word_suffix;
      add(vocabulary_.find(token), token);
    }
  }
  flush_unk();
}

void BpeModel::merge_short(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& pair = scratch.pair;
  pair.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) pair.push_back(&find_pair(symbols[i], symbols[i + 1]));
  while (!pair.empty()) {
    size_t best = 0;
    for (size_t i = 1; i < pair.size(); ++i)
      if (pair[i]->rank < pair[best]->rank) best = i;
    if (pair[best]->rank == kNoRank) break;
    symbols[best] = pair[best]->merged;
    symbols.erase(symbols.begin() + best + 1);
    pair.erase(pair.begin() + best);
    if (best > 0) pair[best - 1] = &find_pair(symbols[best - 1], symbols[best]);
    if (best < pair.size()) pair[best] = &find_pair(symbols[best], symbols[best + 1]);
  }
}

// Pairs wait in a heap by rank and place; those that changed meanwhile are recognized by their rank.
void BpeModel::merge_long(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& nodes = scratch.nodes;
  auto& heap = scratch.heap;
  const auto count = static_cast<uint32_t>(symbols.size());
  nodes.resize(count);
  for (uint32_t i = 0; i < count; ++i)
    nodes[i] = {symbols[i], i == 0 ? kNowhere : i - 1, i + 1 == count ? kNowhere : i + 1};
  auto rank_at = [&](uint32_t at) { return find_pair(nodes[at].id, nodes[nodes[at].next].id).rank; };
  auto entry = [](uint32_t rank, uint32_t at) { return static_cast<uint64_t>(rank) << 32 | at; };
  heap.clear();
  for (uint32_t i = 0; i + 1 < count; ++i)
    if (uint32_t rank = rank_at(i); rank != kNoRank) heap.push_back(entry(rank, i));
  const std::greater<uint64_t> lowest_first;
  std::make_heap(heap.begin(), heap.end(), lowest_first);
  auto wait = [&](uint32_t at) {
    const uint32_t rank = rank_at(at);
    if (rank == kNoRank) return;
    heap.push_back(entry(rank, at));
    std::push_heap(heap.begin(), heap.end(), lowest_first);
  };
  while (!heap.empty()) {
    stop_if_interrupted();
    const auto at = static_cast<uint32_t>(heap.front());
    const auto rank = static_cast<uint32_t>(heap.front() >> 32);
    std::pop_heap(heap.begin(), heap.end(), lowest_first);
    heap.pop_back();
    auto& node = nodes[at];
    if (node.id == TokenTable::kNone || node.next == kNowhere) continue;
    auto& right = nodes[node.next];
    const BpePair& pair = find_pair(node.id, right.id);
    if (pair.rank != rank) continue;
    node.id = pair.merged;
    right.id = TokenTable::kNone;
    node.next = right.next;
    if (node.next != kNowhere) {
      nodes[node.next].previous = at;
      wait(at);
    }
    if (node.previous != kNowhere) wait(node.previous);
  }
  symbols.clear();
  for (uint32_t at = 0; at != kNowhere; at = nodes[at].next) symbols.push_back(nodes[at].id);
  if (count > kExceptionalWord) {
    decltype(scratch.nodes)().swap(nodes);
    decltype(scratch.heap)().swap(heap);
  }
}

}  // namespace sdft
