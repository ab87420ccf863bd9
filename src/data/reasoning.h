// What training does with a model's reasoning before its answer (thinking.h has the marks): the recipe's
// `reasoning`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/example.h"

namespace sdft {

enum class Reasoning {
  kDrop,   // taken out of the answers before training
  kKeep,   // stays in front of the answer as context, not learned
  kLearn,  // learned with the answer
};
const std::vector<std::string>& reasoning_names();
// Error(kUsage) for others.
Reasoning find_reasoning(const std::string& name);

// A text that begins with a trace.
struct TracedText {
  std::string_view open, trace, close;  // `open` also where only the closing mark is there
  bool opened = true;                   // false: there is only a closing mark, the prompt opened the trace
  std::string_view space;               // between the trace and the answer
  std::string_view answer;              // "" where the trace does not end
};
// None where the text has no trace. The parts are of `text`, but for the marks.
std::optional<TracedText> take_apart(std::string_view text);
// Bytes in front of the answer: the trace, its marks and the white space behind it.
size_t trace_size(std::string_view text);

// The answer as it is learned, and as a rewriting prompt shows it: without its trace for kDrop, else whole.
std::string apply_reasoning(Reasoning reasoning, const std::string& text);
// The same for all answers of an example, also for reasoning that stands beside the content of a message.
// Error(kInput) naming the example where an answer is nothing but a trace, or a trace does not end.
Example apply_reasoning(Reasoning reasoning, Example example);

}  // namespace sdft
