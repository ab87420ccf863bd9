// How alike two answers are: BLEU-4 over characters.
#pragma once

#include <string_view>

namespace sdft {

// BLEU (Papineni et al. 2002) up to 4-grams of code points with equal weights, one reference, and smoothing
// method 3 of Chen & Cherry (2014) as NLTK computes it: of the orders without a match the k-th counts as
// 1 / (2^k n-grams of the answer). In [0, 1]; 0 without one common character, and less than 1 for equal texts
// of fewer than four.
double bleu4(std::string_view reference, std::string_view answer);

}  // namespace sdft
