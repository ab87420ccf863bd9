// Where an assistant's turn ends: what training learns there and generation waits for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/prompt.h"

namespace sdft {

// The token that training puts, and learns, behind an answer. Through a chat template: what the template
// itself writes there, the first token behind a plain answer that is EOS or special; EOS where it writes
// none. In the paper's layouts <|eot_id|> for Llama 3, else EOS. Error(kInput) where a paper's layout needs a
// token that the tokenizer has not; none where a chat template and the tokenizer know no such token.
std::optional<int32_t> turn_end(const Formatter& formatter, const PromptTemplate& prompt);

// What ends an answer of a model: the ids that config.json and generation_config.json name (`model_ends`, as
// ModelConfig::eos_token_ids), the tokenizer's EOS, and whatever turn_end() may teach it. Each once.
std::vector<int32_t> stop_ids(const Formatter& formatter, const std::vector<int32_t>& model_ends);

// What training teaches through the chat template where the model's files name another end: generation here
// stops there all the same, other programs' does not.
std::optional<int32_t> unnamed_end(const Formatter& formatter, const std::vector<int32_t>& model_ends);

// True where the chat template's generation prompt opens a thinking block ("<think>\n", as DeepSeek-R1's
// does): the text of an answer then begins inside the trace.
bool opens_thinking(const Formatter& formatter);
bool opens_trace(std::string_view prompt);  // of a prompt's text
// A generation prompt without the empty thinking block that it may end with (Qwen3's
// "<think>\n\n</think>\n\n" where enable_thinking is false): so it stands before answers of earlier turns.
std::string_view without_empty_thinking(std::string_view prompt);

}  // namespace sdft
