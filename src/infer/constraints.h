// What may not come next, and which strings end an answer: what a model's generation_config.json may ask for
// besides sampling, done as Transformers' logits processors and StopStringCriteria do it, greedy or sampled.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace sdft {

struct Constraints {
  std::vector<int32_t> suppress_tokens;             // never come
  std::vector<int32_t> begin_suppress_tokens;       // do not come first
  std::vector<std::vector<int32_t>> bad_words_ids;  // sequences that are not completed, wherever they began
  int64_t no_repeat_ngram_size = 0;  // so many tokens in a row come once, the prompt's included; 0: off
  int64_t min_new_tokens = 0;        // no stop token before so many of the answer
  int64_t min_length = 0;            // or of prompt and answer together
  // An answer ends with the token that completes one of these, and keeps it.
  std::vector<std::string> stop_strings;
  // The answer is a JSON object (json_text.h), whose tokens have these texts; null: anything. The limit may
  // cut it.
  std::shared_ptr<const std::vector<std::string>> json_pieces;

  bool mask() const;  // whether some token may be ruled out
};

// What makes no sense in a vocabulary of that size, each with its name.
std::vector<std::string> problems_of(const Constraints& constraints, int64_t vocabulary);

// Sets the logits of what may not come next to minus infinity. `seen`: the prompt's tokens, then the answer's
// so far.
void rule_out(const Constraints& constraints, const std::vector<int32_t>& stop_ids,
              const std::vector<int32_t>& seen, size_t prompt_length, float* logits, int64_t vocabulary);

// Looks for stop strings in one answer as it grows, special tokens spelled out.
class StopStringSearch {
 public:
  StopStringSearch(const Tokenizer& tokenizer, const std::vector<std::string>& strings);
  bool add(int32_t id);  // true where the text now has one of them

 private:
  const std::vector<std::string>& strings_;
  StreamDecoder decoder_;
  size_t longest_ = 0;
  std::string tail_;  // one byte less than the longest
};

}  // namespace sdft
