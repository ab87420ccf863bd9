// Sentences and words of English texts, for checks that count them. Thread safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// The sentences of a text, without white space around them. One ends with . ? or ! and the quotes and
// brackets that close behind it, before white space; not with "...", nor with the full stop of an
// abbreviation or an initial, unless a word follows that mostly begins sentences. What Punkt (Kiss & Strunk
// 2006) learned from English newspapers, in few rules: "e.g." ends a sentence there, and so it does here.
std::vector<std::string> sentences_of(std::string_view text);

// Words in the Penn Treebank's sense, as far as letters go: parted at white space, brackets, quotes, ; @ # $
// % & , : ? ! and before n't 's 're 've 'll 'm 'd. Punctuation is left out, or stays with its word.
std::vector<std::string> treebank_words(std::string_view text);

}  // namespace sdft
