// Prompt templates and their token layout: an example becomes token ids with a mask of what is learned.
// The templates are a table (prompt.cpp): literal strings of the paper (Yang et al. 2024) and its two code
// branches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/example.h"
#include "text/jinja/chat_template.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft {

// How the pieces of a prompt are put together (shared/METHOD.md, "Token layout").
enum class PromptLayout {
  kChat,           // through the model's own chat template
  kReference,      // the paper's branch `reproduce`
  kReferenceMain,  // its branch `main`
};

// "chat", "reference", "reference-main". Error(kUsage) for others.
PromptLayout find_prompt_layout(const std::string& name);

// What the pieces around system line and turn are.
enum class PromptFamily {
  kAlpaca,
  kGsm8k,   // Llama 2's <<SYS>> and [INST]
  kLlama3,  // Llama 3's headers; answers end with <|eot_id|>
  kChat,    // the model's own chat template
};

struct PromptTemplate {
  std::string name;     // "alpaca", "alpaca_distill_using", "gsm8k", "chat", "chat_distill_using", ...
  std::string system;   // literal system line; "" for none. An example's own system text takes its place.
  std::string turn;     // with {x} (query) and, in distillation templates, {y} (reference answer)
  std::string prefill;  // starts the answer: "Great! Let's think step by step. "
  bool chat = false;    // rendered as messages through the model's chat template
  PromptFamily family = PromptFamily::kAlpaca;
};

// Throws Error(kUsage) with the known names and the nearest.
const PromptTemplate& find_prompt_template(const std::string& name);
std::vector<std::string> prompt_template_names();

struct Formatter {
  const Tokenizer* tokenizer;         // not owned
  const ChatTemplate* chat_template;  // not owned; may be null where no chat template is used
  // For templates with chat == true always kChat; for the others kChat means kReference.
  PromptLayout layout = PromptLayout::kChat;
  RenderOptions render = {};  // what the chat template may read besides (enable_thinking, date, tools)
};

// Token ids of an example.
struct Sample {
  std::string id;
  std::vector<int32_t> ids;
  std::vector<uint8_t> supervised;  // 1: this token is learned (response and EOS tokens)
  size_t cut = 0;                   // tokens that cutoff_len removed
  // Special tokens spelled out in the example's own texts ("</s>", "<|im_end|>"): they stay plain
  // characters, so that no text can end a turn or begin another one.
  size_t special_spelled = 0;
};

// The ids to generate an answer from: history, query (and reference answer for distillation templates) and
// prefill.
std::vector<int32_t> prompt_ids(const Formatter& formatter, const PromptTemplate& prompt,
                                const Example& example, const std::string& reference_answer = "");
// A training sample: every response and the EOS or end-of-turn token behind it are supervised. cutoff_len 0:
// no limit. A longer sample is cut at its end and `cut` says by how much. reference_answer: for distillation
// templates, as in prompt_ids().
//
// Through a chat template the text is rendered whole and tokenised in one piece. An answer is what follows
// the generation prompt, up to and including the first end of turn (turn_end.h), which is added at the end
// where the text has none. What would follow the last end of turn (a line break) is left out.
// Throws Error(kInput) where a generation prompt is no beginning of the text with its answer, unless the chat
// template marks answers with {% generation %}.
Sample training_sample(const Formatter& formatter, const PromptTemplate& prompt, const Example& example,
                       size_t cutoff_len, const std::string& reference_answer = "");

// Whether a tokenizer has what a chat template writes. Throws Error(kInput) where a special token that the
// template reads (eos_token) is none of its tokens. Returns the control tokens that the template spells out
// ("<|user|>") and the tokenizer would take apart into characters: right for some models, a mix-up for most.
std::vector<std::string> check_chat_template(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                             const std::string& where);

}  // namespace sdft
