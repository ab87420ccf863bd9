// What the prompt layouts share: filling turns, and text that cannot become special tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/prompt.h"

namespace sdft {

// Python's str.strip(); sides: 1 the beginning, 2 the end, 3 both.
std::string stripped(const std::string& text, int sides = 3);
// Replaces {x} and {y} of a turn; what is put in is not looked at again.
std::string fill_turn(const std::string& turn, const std::string& query, const std::string& reference);

// Keeps special tokens that a user's text spells out ("</s>") from becoming tokens: guard() puts a mark in
// their place, encode() tokenises a text that was put together from guarded pieces, with the marks as the
// plain characters they stand for and everything else with its special tokens.
class SpecialGuard {
 public:
  explicit SpecialGuard(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string guard(const std::string& text);
  std::vector<int32_t> encode(const std::string& text) const;
  size_t spelled() const { return spelled_; }

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> kept_;  // what the marks stand for
  size_t spelled_ = 0;
};

// The id; Error(kInput) where the tokenizer has none.
int32_t needed_token(std::optional<int32_t> id, const char* what);

// A run of a sample's tokens; answers are what is learned.
struct PromptPiece {
  std::vector<int32_t> ids;
  bool answer;
};

// The pieces of a conversation; without answer: up to where generation begins.
std::vector<PromptPiece> reference_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                          const Example& example, const std::string& reference,
                                          bool with_answer, SpecialGuard* guard);
std::vector<PromptPiece> chat_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                     const Example& example, const std::string& reference, bool with_answer,
                                     SpecialGuard* guard);

}  // namespace sdft
