#include "infer/constraints.h"

#include <algorithm>
#include <limits>

#include "infer/json_text.h"

namespace sdft {

bool Constraints::mask() const {
  return !suppress_tokens.empty() || !begin_suppress_tokens.empty() || !bad_words_ids.empty() ||
         no_repeat_ngram_size > 0 || min_new_tokens > 0 || min_length > 0 || json_pieces;
}

namespace {
// All tokens behind which no JSON object can come, and stop tokens in front of its end.
void rule_out_no_json(const std::vector<std::string>& pieces, const std::vector<int32_t>& stop_ids,
                      const int32_t* written, size_t count, float* logits, int64_t vocabulary) {
  JsonText text;
  for (size_t i = 0; i < count; ++i) text.add(pieces.at(static_cast<size_t>(written[i])));
  for (int64_t id = 0; id < vocabulary; ++id) {
    const auto place = static_cast<size_t>(id);
    JsonText longer = text;
    const bool stop = std::count(stop_ids.begin(), stop_ids.end(), id) > 0;
    const bool fits = place < pieces.size() && !pieces[place].empty() && longer.add(pieces[place]);
    if (text.complete() ? !stop : stop || !fits) logits[id] = -std::numeric_limits<float>::infinity();
  }
}
}  // namespace

std::vector<std::string> problems_of(const Constraints& c, int64_t vocabulary) {
  std::vector<std::string> problems;
  auto check_ids = [&](const char* name, const std::vector<int32_t>& ids) {
    const auto bad =
        std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id < 0 || id >= vocabulary; });
    if (bad != ids.end())
      problems.push_back(name + (" has token id " + std::to_string(*bad)) + ", the model knows 0 to " +
                         std::to_string(vocabulary - 1));
  };
  auto check_count = [&](const char* name, int64_t value) {
    if (value < 0)
      problems.push_back(name + (" is " + std::to_string(value)) + ", expected 0 (off) or a positive number");
  };
  check_ids("suppress_tokens", c.suppress_tokens);
  check_ids("begin_suppress_tokens", c.begin_suppress_tokens);
  for (const auto& sequence : c.bad_words_ids) {
    check_ids("bad_words_ids", sequence);
    if (sequence.empty()) problems.emplace_back("bad_words_ids has an empty sequence");
  }
  check_count("no_repeat_ngram_size", c.no_repeat_ngram_size);
  check_count("min_new_tokens", c.min_new_tokens);
  check_count("min_length", c.min_length);
  for (const std::string& text : c.stop_strings)
    if (text.empty()) problems.emplace_back("stop_strings has an empty string");
  return problems;
}

void rule_out(const Constraints& c, const std::vector<int32_t>& stop_ids, const std::vector<int32_t>& seen,
              size_t prompt_length, float* logits, int64_t vocabulary) {
  auto rule_out_one = [&](int32_t id) {
    if (id >= 0 && id < vocabulary) logits[id] = -std::numeric_limits<float>::infinity();
  };
  auto rule_out_all = [&](const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) rule_out_one(id);
  };
  const auto length = static_cast<int64_t>(seen.size()),
             written = length - static_cast<int64_t>(prompt_length);
  rule_out_all(c.suppress_tokens);
  if (written == 0) rule_out_all(c.begin_suppress_tokens);
  if (written < c.min_new_tokens || length < c.min_length) rule_out_all(stop_ids);
  for (const auto& sequence : c.bad_words_ids) {
    const auto before = static_cast<std::ptrdiff_t>(sequence.size()) - 1;
    const bool stop = before == 0 && std::count(stop_ids.begin(), stop_ids.end(), sequence[0]) > 0;
    if (!stop && before <= length && std::equal(sequence.begin(), sequence.end() - 1, seen.end() - before))
      rule_out_one(sequence.back());  // the end of an answer is no bad word, in Transformers either
  }
  if (const int64_t n = c.no_repeat_ngram_size; n > 0)
    for (int64_t begin = 0; begin + n <= length; ++begin)
      if (std::equal(seen.end() - (n - 1), seen.end(), seen.begin() + begin))
        rule_out_one(seen[static_cast<size_t>(begin + n - 1)]);
  if (c.json_pieces)
    rule_out_no_json(*c.json_pieces, stop_ids, seen.data() + prompt_length, seen.size() - prompt_length,
                     logits, vocabulary);
}

StopStringSearch::StopStringSearch(const Tokenizer& tokenizer, const std::vector<std::string>& strings)
    : strings_(strings), decoder_(tokenizer, false) {
  for (const std::string& text : strings) longest_ = std::max(longest_, text.size());
}

bool StopStringSearch::add(int32_t id) {
  tail_ += decoder_.add(id);
  for (const std::string& text : strings_)
    if (tail_.find(text) != std::string::npos) return true;
  if (tail_.size() >= longest_) tail_.erase(0, tail_.size() - (longest_ - 1));
  return false;
}

}  // namespace sdft
