#include "text/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/byte_level.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/token_table.h"

namespace sdft {
namespace {

constexpr int64_t kWorthMerging = 2;  // a pair seen once teaches nothing

struct ViewHash {
  size_t operator()(std::string_view text) const { return hash_bytes(text); }
};
using WordCounts = std::unordered_map<std::string_view, int64_t, ViewHash>;

struct Word {
  std::vector<int32_t> symbols;
  int64_t count;
};

struct PairKey {
  int32_t left, right;
  uint64_t packed() const { return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right); }
};

struct PairState {
  int64_t count = 0;
  std::vector<uint32_t> words;  // where it occurs, or did
};

struct Candidate {
  int64_t count;
  PairKey pair;
};

// The distinct words of the texts; they point into the texts. Special tokens are cut out first, as encoding
// does.
WordCounts count_words(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  Pattern pattern;
  pattern.regex.emplace(options.split_regex, "split_regex");
  AddedTokens special;
  for (size_t i = 0; i < options.special_tokens.size(); ++i) {
    AddedToken token;
    token.id = static_cast<int32_t>(i);
    token.content = options.special_tokens[i];
    special.add(token);
  }
  special.prepare(nullptr);
  WordCounts counts;
  RegexScratch scratch;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (size_t fault = utf8_fault(texts[i]); fault != std::string::npos)
      fail_input("training text " + std::to_string(i), "not valid UTF-8 at byte " + std::to_string(fault));
    special.split(texts[i], false, true, [&](std::string_view piece, const AddedToken* token) {
      if (token) return;
      for_each_segment(pattern, piece, scratch, [&](size_t begin, size_t end, bool) {
        if (end > begin) ++counts[piece.substr(begin, end - begin)];
      });
    });
  }
  return counts;
}

class Trainer {
 public:
  Trainer(const WordCounts& counts, int32_t first_byte_id);
  void merge_until(size_t vocab_size);

  struct Merge {
    int32_t left, right;
  };
  std::vector<std::string> tokens;  // bytes by id
  std::vector<Merge> merges;

 private:
  // std::priority_queue gives the greatest: the most frequent, of equals the first by bytes.
  struct Less {
    const Trainer* trainer;
    bool operator()(const Candidate& a, const Candidate& b) const;
  };

  void change(PairKey pair, int64_t by, uint32_t word);
  void queue_grown();
  void merge(PairKey pair);
  void merge_in_word(PairKey pair, int32_t merged, uint32_t word);

  std::vector<Word> words_;
  std::unordered_map<uint64_t, PairState> pairs_;
  std::priority_queue<Candidate, std::vector<Candidate>, Less> queue_;
  std::unordered_map<std::string, int32_t> ids_;  // of merged tokens
  std::vector<PairKey> grown_;                    // pairs that the current merge made more frequent
};

bool Trainer::Less::operator()(const Candidate& a, const Candidate& b) const {
  if (a.count != b.count) return a.count < b.count;
  const auto& tokens = trainer->tokens;
  if (int order = tokens[a.pair.left].compare(tokens[b.pair.left])) return order > 0;
  return tokens[a.pair.right] > tokens[b.pair.right];
}

Trainer::Trainer(const WordCounts& counts, int32_t first_byte_id) : queue_(Less{this}) {
  tokens.resize(first_byte_id);
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  words_.reserve(counts.size());
  for (const auto& [text, count] : counts) {
    Word word{{}, count};
    for (unsigned char byte : text) word.symbols.push_back(first_byte_id + byte);
    const auto index = static_cast<uint32_t>(words_.size());
    for (size_t i = 0; i + 1 < word.symbols.size(); ++i)
      change({word.symbols[i], word.symbols[i + 1]}, count, index);
    words_.push_back(std::move(word));
  }
}

void Trainer::change(PairKey pair, int64_t by, uint32_t word) {
  PairState& state = pairs_[pair.packed()];
  state.count += by;
  if (by <= 0) return;
  if (state.words.empty() || state.words.back() != word) state.words.push_back(word);
  grown_.push_back(pair);
}

void Trainer::queue_grown() {
  auto packed_less = [](const PairKey& a, const PairKey& b) { return a.packed() < b.packed(); };
  std::sort(grown_.begin(), grown_.end(), packed_less);
  uint64_t last = ~0ull;
  for (const PairKey& pair : grown_) {
    if (pair.packed() != last) queue_.push({pairs_[pair.packed()].count, pair});
    last = pair.packed();
  }
  grown_.clear();
}

void Trainer::merge_until(size_t vocab_size) {
  while (tokens.size() < vocab_size) {
    queue_grown();
    if (queue_.empty()) return;
    const Candidate best = queue_.top();
    queue_.pop();
    const int64_t count = pairs_[best.pair.packed()].count;
    if (count < best.count) {  // became rarer since it was queued
      if (count >= kWorthMerging) queue_.push({count, best.pair});
      continue;
    }
    if (count < kWorthMerging) return;
    if (count == best.count) merge(best.pair);
  }
}

void Trainer::merge(PairKey pair) {
  const std::string bytes = tokens[pair.left] + tokens[pair.right];
  const auto [known, is_new] = ids_.emplace(bytes, static_cast<int32_t>(tokens.size()));
  if (is_new) tokens.push_back(bytes);  // else "ab" + "c" and "a" + "bc" are the same token
  const int32_t merged = known->second;
  merges.push_back({pair.left, pair.right});
  const std::vector<uint32_t> words = std::move(pairs_[pair.packed()].words);
  pairs_[pair.packed()] = {};
  for (uint32_t word : words) merge_in_word(pair, merged, word);
  pairs_[pair.packed()].count = 0;
}

void Trainer::merge_in_word(PairKey pair, int32_t merged, uint32_t index) {
  Word& word = words_[index];
  auto& symbols = word.symbols;
  size_t kept = 0;
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i] != pair.left || i + 1 == symbols.size() || symbols[i + 1] != pair.right) {
      symbols[kept++] = symbols[i];
      continue;
    }
    if (kept > 0) {
      change({symbols[kept - 1], pair.left}, -word.count, index);
      change({symbols[kept - 1], merged}, word.count, index);
    }
    if (i + 2 < symbols.size()) {
      change({pair.right, symbols[i + 2]}, -word.count, index);
      change({merged, symbols[i + 2]}, word.count, index);
    }
    symbols[kept++] = merged;
    ++i;
  }
  symbols.resize(kept);
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string tokenizer_json(const Trainer& trainer, const BpeTrainerOptions& options) {
  std::string added, vocab, merges;
  auto written = [&](int32_t id) {
    return static_cast<size_t>(id) < options.special_tokens.size() ? options.special_tokens[id]
                                                                   : to_byte_level(trainer.tokens[id]);
  };
  for (size_t i = 0; i < options.special_tokens.size(); ++i) {
    Json token = {{"id", i},
                  {"content", options.special_tokens[i]},
                  {"single_word", false},
                  {"lstrip", false},
                  {"rstrip", false},
                  {"normalized", false},
                  {"special", true}};
    added += (i > 0 ? ",\n    " : "\n    ") + token.dump();
  }
  for (size_t i = 0; i < trainer.tokens.size(); ++i)
    vocab += (i > 0 ? ",\n      " : "\n      ") + quoted(written(static_cast<int32_t>(i))) + ": " +
             std::to_string(i);
  for (size_t i = 0; i < trainer.merges.size(); ++i)
    merges += (i > 0 ? ",\n      " : "\n      ") +
              quoted(written(trainer.merges[i].left) + " " + written(trainer.merges[i].right));
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", options.split_regex}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  const Json pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}};
  return "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [" +
         added + "\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": " + pre_tokenizer.dump() +
         ",\n  \"post_processor\": null,\n  \"decoder\": " + byte_level.dump() +
         ",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
         "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": "
         "false,\n"
         "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {" +
         vocab + "\n    },\n    \"merges\": [" + merges + "\n    ]\n  }\n}\n";
}

}  // namespace

std::string train_bpe(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  const size_t smallest = options.special_tokens.size() + 256;
  if (options.vocab_size < 0 || static_cast<size_t>(options.vocab_size) < smallest)
    fail_usage("vocab_size " + std::to_string(options.vocab_size) + " is too small",
               "the special tokens and the 256 bytes need " + std::to_string(smallest));
  auto sorted = options.special_tokens;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end() ||
      (!sorted.empty() && sorted[0].empty()))
    fail_usage("special tokens must be different and not empty");
  const auto& bytes = byte_level_characters();
  for (const std::string& token : options.special_tokens)
    if (std::find(bytes.begin(), bytes.end(), token) != bytes.end())
      fail_usage("special token '" + token + "' is how the vocabulary writes a byte", "take a longer one");
  Trainer trainer(count_words(texts, options), static_cast<int32_t>(options.special_tokens.size()));
  trainer.merge_until(static_cast<size_t>(options.vocab_size));
  return tokenizer_json(trainer, options);
}

}  // namespace sdft
