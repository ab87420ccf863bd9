// Trains a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as in GPT-2) and writes it as a
// tokenizer.json.
#pragma once

#include <string>
#include <vector>

namespace sdft {

struct BpeTrainerOptions {
  int vocab_size = 1024;                    // special tokens and the 256 bytes included
  std::vector<std::string> special_tokens;  // get the first ids, in this order
  // Words are split with this regex before merging; digits stay single so that numbers are read digit by
  // digit.
  std::string split_regex = R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
};

// The text of a tokenizer.json. Deterministic: ties are broken by the pair's bytes.
std::string train_bpe(const std::vector<std::string>& texts, const BpeTrainerOptions& options);

}  // namespace sdft
