// Guesses at what a model writes next, copied from where its last tokens stood before: in a rewrite much of
// the prompt comes again. Guesses are checked by the model in one pass (Leviathan et al. 2023, arXiv
// 2211.17192, with a guess that is certain), which costs little more than a pass for one token where that
// waits for the weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sdft {

// Of one sequence.
class PromptLookup {
 public:
  // At most `most` tokens that may follow prompt and answer so far; none where nothing like their end was
  // there before. Both only grow from call to call.
  std::vector<int32_t> guess(const std::vector<int32_t>& prompt, const std::vector<int32_t>& answer,
                             size_t most);
  // How many of the last guess were right: where few are, the next ones are shorter.
  void learn(size_t guessed, size_t right);

 private:
  std::unordered_map<uint64_t, size_t> after_;  // some tokens -> the place behind their last appearance
  size_t known_ = 0;                            // places in after_
  size_t limit_ = SIZE_MAX;
};

}  // namespace sdft
