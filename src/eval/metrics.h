// How alike two answers are: character BLEU-4, ROUGE-L over words, shared tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// BLEU-4 over code points with one reference, uniform weights and smoothing method 3 of Chen and Cherry 2014,
// as NLTK computes it: in [0, 1]; 0 where the two share no character, so for an empty answer; below 1 for
// identical texts of fewer than four characters.
double bleu4(std::string_view reference, std::string_view answer);

// Words: runs of letters and digits ("3.5" and "20%" are one), runs of + # & . _ % -, Chinese characters,
// other characters each on its own, white space characters too. This is jieba's cut for text without Chinese
// words, which it would look up in a dictionary.
std::vector<std::string> rouge_words(std::string_view text);

// ROUGE-L F (beta 1) of the longest common subsequence of words, as rouge_chinese computes it: just under 1
// for equal texts. Where a side is blank, which rouge_chinese refuses, it is 0.
double rouge_l(const std::vector<std::string>& reference, const std::vector<std::string>& answer);
double rouge_l(std::string_view reference, std::string_view answer);

// The share of token ids two answers have in common, in order: 2 LCS / (|a| + |b|), in [0, 1]; 1 where both
// are empty.
double token_similarity(const std::vector<int32_t>& a, const std::vector<int32_t>& b);

double mean(const std::vector<double>& values);  // NaN of none

}  // namespace sdft
