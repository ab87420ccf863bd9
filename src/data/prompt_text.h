// What the prompt layouts share: filling turns, and text that cannot become special tokens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/prompt.h"

namespace sdft {

// null: none of that name.
const PromptTemplate* built_in_template(const std::string& name);

// Python's str.strip(); sides: 1 the beginning, 2 the end, 3 both.
std::string stripped(const std::string& text, int sides = 3);
struct Fillings {
  std::string instruction, input, response, history;
};
// Replaces the placeholders of a turn; what is put in is not looked at again.
std::string fill_turn(const std::string& turn, const Fillings& fillings);
// The earlier turns as text ("User: ...\nAssistant: ...\n..."): all messages in front of the last question
// but the system message. They are taken out of `context`.
std::string take_history(Json* context);
// The place of the last user's message; messages.size() where there is none.
size_t last_question(const Json& messages);

// How far two texts or lists are the same.
template <typename Items>
size_t common_prefix(const Items& a, const Items& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// Keeps special tokens that a user's text spells out ("</s>") from becoming tokens: guard() puts a mark in
// their place, encode() tokenises a text that was put together from guarded pieces, with the marks as the
// plain characters they stand for and everything else with its special tokens.
class SpecialGuard {
 public:
  explicit SpecialGuard(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string guard(const std::string& text);
  // As guard(), but the marks of a reasoning trace at its beginning stay what they are; one that only a
  // closing mark tells of gets its opening mark.
  std::string guard_answer(const std::string& text);
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

// What is written of an example: up to where generation begins, or with its answers.
struct Writing {
  std::string reference = {};  // shown by rewriting templates
  bool with_answer = false;
  Reasoning reasoning = Reasoning::kLearn;
};

// The pieces of a conversation.
std::vector<PromptPiece> reference_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                          const Example& example, const Writing& writing,
                                          SpecialGuard* guard);
std::vector<PromptPiece> chat_pieces(const Formatter& formatter, const PromptTemplate& prompt,
                                     const Example& example, const Writing& writing, SpecialGuard* guard);

}  // namespace sdft
