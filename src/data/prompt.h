// Prompt templates and their token layout: an example becomes token ids with a mask of what is learned.
// The built-in templates are a table (prompt_table.cpp): literal strings of the paper (Yang et al. 2024) and
// its two code branches. Others are files (prompt_file.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/example.h"
#include "data/reasoning.h"
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
  kChat,    // the model's own chat template; the system line stands in the user's message
  kFile,    // a user's own: `system` is the system message, or stands before the first turn
};

// What a turn is filled with, once: what is put in is not looked at again. Other braces are literal.
inline constexpr const char* kInstructionPlace = "{instruction}";  // the question
inline constexpr const char* kInputPlace =
    "{input}";  // the input column; kInstructionPlace is then without it
inline constexpr const char* kResponsePlace = "{response}";  // the reference answer: of rewriting templates
inline constexpr const char* kHistoryPlace =
    "{history}";  // the earlier turns as text, which are then no messages

struct PromptTemplate {
  std::string name;     // "alpaca", "alpaca_distill_using", "gsm8k", "chat", "chat_distill_using", ...
  std::string system;   // literal system line; "" for none. An example's own system text takes its place.
  std::string turn;     // with the placeholders above
  std::string prefill;  // starts the answer: "Great! Let's think step by step. "
  bool chat = false;    // rendered as messages through the model's chat template
  PromptFamily family = PromptFamily::kAlpaca;
  std::string sha256 = {};  // of the file that it was read from; "" for the built-in ones
  bool shows(const char* placeholder) const { return turn.find(placeholder) != std::string::npos; }
};

// A built-in template, or one from a file: a name with a slash or a dot is a path. .yaml and .yml: a map with
// turn, system, prefill and chat (default: true); any other file is the turn itself, but for one line break
// at its end. A file is read once (see reread_prompt_files) and what is returned lives as long as the
// program. Thread safe. Throws Error(kUsage) with the known names and the nearest, Error(kInput) with all
// that is wrong with a file: missing, empty, unknown keys, placeholders that look misspelt.
const PromptTemplate& find_prompt_template(const std::string& name);
std::vector<std::string> prompt_template_names();  // the built-in ones
// Error(kInput), by its name, with what is wrong with a template that came from elsewhere: an empty turn,
// placeholders that look misspelt.
void check_prompt_template(const PromptTemplate& prompt);
bool names_prompt_file(const std::string& name);
// The next search for a template in a file reads it again: called where a run begins, so that one run has one
// version and a program that makes several sees edits between them.
void reread_prompt_files();
// What results depend on: the name of a built-in template, the content of a file.
std::string identity_of(const PromptTemplate& prompt);

enum class TemplateUse { kAnswering, kRewriting };  // training and evaluation; distillation
// Error(kUsage) saying what is amiss: a rewriting template shows question and answer, the others the question
// alone.
void check_use(const PromptTemplate& prompt, TemplateUse use);

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
  // What a teacher reads in its place: another prompt, the same answer. Empty: there is no teacher.
  std::vector<int32_t> teacher_ids;
  // Of each learned token, as it was when the answer was written; empty: nobody needs it.
  std::vector<float> rollout_log_probs;
  double weight = 1;      // the example's: of its tokens in the loss, against those of others
  size_t cut = 0;         // tokens that cutoff_len removed
  size_t cut_prompt = 0;  // of them what is not learned: questions, and traces kept as context
  // Special tokens spelled out in the example's own texts ("</s>", "<|im_end|>"): they stay plain
  // characters, so that no text can end a turn or begin another one.
  size_t special_spelled = 0;
};

// The ids to generate an answer from: history, query (and reference answer for distillation templates) and
// prefill.
std::vector<int32_t> prompt_ids(const Formatter& formatter, const PromptTemplate& prompt,
                                const Example& example, const std::string& reference_answer = "");
// The ids behind which a user would write the next message, through the chat template.
std::vector<int32_t> question_ids(const Formatter& formatter, const std::vector<Turn>& history);

// A training sample: every response and the EOS or end-of-turn token behind it are supervised. cutoff_len 0:
// no limit. A longer sample is cut at its end and `cut` says by how much. reference_answer: for distillation
// templates, as in prompt_ids().
//
// Through a chat template the text is rendered whole and tokenised in one piece. An answer is what follows
// the generation prompt, up to and including the first end of turn (turn_end.h), which is added at the end
// where the text has none. What would follow the last end of turn (a line break) is left out.
// Throws Error(kInput) where a generation prompt is no beginning of the text with its answer, unless the chat
// template marks answers with {% generation %}.
//
// A reasoning trace that begins an answer is learned (kLearn) or only context (kKeep); who wants it dropped
// takes it out first (apply_reasoning). Its marks are structure: special tokens where the tokenizer has them
// so. Error(kInput) where the chat template leaves the trace of the last answer out; those of earlier answers
// many templates leave out, and then they are not learned.
Sample training_sample(const Formatter& formatter, const PromptTemplate& prompt, const Example& example,
                       size_t cutoff_len, const std::string& reference_answer = "",
                       Reasoning reasoning = Reasoning::kLearn);

// Whether a tokenizer has what a chat template writes. Throws Error(kInput) where a special token that the
// template reads (eos_token) is none of its tokens. Returns the control tokens that the template spells out
// ("<|user|>") and the tokenizer would take apart into characters: right for some models, a mix-up for most.
std::vector<std::string> check_chat_template(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                             const std::string& where);

}  // namespace sdft
