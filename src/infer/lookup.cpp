#include "infer/lookup.h"

#include <algorithm>

namespace sdft {

namespace {
constexpr size_t kTokens = 3;  // that must be alike

// Prompt and answer, one behind the other.
struct Sequence {
  const std::vector<int32_t>& prompt;
  const std::vector<int32_t>& answer;

  size_t size() const { return prompt.size() + answer.size(); }
  int32_t operator[](size_t i) const { return i < prompt.size() ? prompt[i] : answer[i - prompt.size()]; }
};

// Of the tokens in front of `end`. Two that share a key cost a wrong guess.
uint64_t key_at(const Sequence& tokens, size_t end) {
  uint64_t key = 0;
  for (size_t i = end - kTokens; i < end; ++i)
    key = (key ^ static_cast<uint32_t>(tokens[i])) * 0x9e3779b97f4a7c15ull;
  return key;
}
}  // namespace

std::vector<int32_t> PromptLookup::guess(const std::vector<int32_t>& prompt,
                                         const std::vector<int32_t>& answer, size_t most) {
  const Sequence tokens{prompt, answer};
  if (tokens.size() < kTokens) return {};
  for (known_ = std::max(known_, kTokens); known_ < tokens.size(); ++known_)
    after_[key_at(tokens, known_)] = known_;
  const auto found = after_.find(key_at(tokens, tokens.size()));
  if (found == after_.end()) return {};
  std::vector<int32_t> next;
  const size_t end = std::min(tokens.size(), found->second + std::min(most, limit_));
  for (size_t i = found->second; i < end; ++i) next.push_back(tokens[i]);
  return next;
}

void PromptLookup::learn(size_t guessed, size_t right) {
  if (guessed == 0) return;
  limit_ = right == guessed ? std::max(limit_, 2 * guessed) : std::max<size_t>(1, 2 * right);
}

}  // namespace sdft
