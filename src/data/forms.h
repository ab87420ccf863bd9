// Examples in the forms of other trainers' datasets.
#pragma once

#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

// alpaca: instruction, input, output, system, history (LLaMA-Factory's). sharegpt: conversations of from and
// value, a call of a tool as function_call and its result as observation. messages: OpenAI's. trl: `prompt`,
// the messages that are answered, and `privileged_context`, what the teacher sees: the dataset's own answer
// (`original` of a distilled record, else the answer). Each has the example's id, and its tools where it has
// any; all but trl its weight.
const std::vector<std::string>& form_names();

// Error(kInput) with the example's place where the form cannot say it (tool calls in Alpaca's, reasoning in
// ShareGPT's); Error(kUsage) for a form that is none.
Json in_form(const Example& example, const std::string& form);

// Whether the record of a distilled dataset says that the rewrite was accepted. Error(kInput) for a record of
// another dataset.
bool rewrite_accepted(const Example& example);

}  // namespace sdft
