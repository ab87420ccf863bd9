// How alike two answers are: ROUGE-L over words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// Words: runs of letters and digits ("3.5" and "20%" are one), runs of + # & . _ % -, Chinese characters,
// other characters each on its own, white space characters too. This is jieba's cut for text without Chinese
// words, which it would look up in a dictionary.
std::vector<std::string> rouge_words(std::string_view text);

// ROUGE-L F (beta 1) of the longest common subsequence of words, as rouge_chinese computes it: just under 1
// for equal texts. Where a side is blank, which rouge_chinese refuses, it is 0.
double rouge_l(const std::vector<std::string>& reference, const std::vector<std::string>& answer);
double rouge_l(std::string_view reference, std::string_view answer);

}  // namespace sdft
