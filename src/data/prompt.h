// Prompt templates and their token layout: an example becomes token ids with a mask of what is learned.
// The templates are a table (prompt.cpp): literal strings of the paper (Yang et al. 2024) and its two code
// branches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/example.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sdft {

// How the pieces of a prompt are put together (shared/METHOD.md, "Token layout").
enum class PromptLayout {
  kChat,           // through the model's own chat template
  kReference,      // the paper's branch `reproduce`
  kReferenceMain,  // its branch `main`
};

struct PromptTemplate {
  std::string name;     // "alpaca", "alpaca_distill_using", "gsm8k", "chat", "chat_distill_using", ...
  std::string system;   // literal system line or piece; "" for none
  std::string turn;     // with {x} (query) and, in distillation templates, {y} (reference answer)
  std::string prefill;  // starts the answer: "Great! Let's think step by step. "
  bool chat = false;    // rendered as messages through the model's chat template
};

// Throws Error(kUsage) with the known names and the nearest.
const PromptTemplate& find_prompt_template(const std::string& name);
std::vector<std::string> prompt_template_names();

struct Formatter {
  const Tokenizer* tokenizer;                 // not owned
  const ChatTemplate* chat_template;          // not owned; may be null where no chat template is used
  PromptLayout layout = PromptLayout::kChat;  // for templates with chat == true, always kChat
};

// Token ids of an example.
struct Sample {
  std::string id;
  std::vector<int32_t> ids;
  std::vector<uint8_t> supervised;  // 1: this token is learned (response and EOS tokens)
  size_t cut = 0;                   // tokens that cutoff_len removed
};

// The ids to generate an answer from: history, query (and reference answer for distillation templates) and
// prefill.
std::vector<int32_t> prompt_ids(const Formatter& formatter, const PromptTemplate& prompt,
                                const Example& example, const std::string& reference_answer = "");
// A training sample: every response piece and its EOS are supervised. cutoff_len 0: no limit. A longer sample
// is cut at its end and `cut` says by how much. reference_answer: for distillation templates, as in
// prompt_ids().
Sample training_sample(const Formatter& formatter, const PromptTemplate& prompt, const Example& example,
                       size_t cutoff_len, const std::string& reference_answer = "");

}  // namespace sdft
