// The calls in a model's answer, as the Berkeley Function-Calling Leaderboard reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/python_value.h"

namespace sdft {

struct BfclCall {
  std::string name;
  PyValue arguments;  // a kDict of the keyword arguments; positional ones are left out, as there
  bool json = false;  // written as JSON, where names cannot have dots
};

// The calls of an answer; none where it cannot be read, which is what an answer without calls should be.
// - "[f(a=1), g(b="x")]", also without brackets or in backquotes: Python, as models are asked to write it. A
//   name is a string, a call without keyword arguments its source, a + b is computed.
// - "<tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>", once or more between other text;
// - nothing but such an object, or a list of them ("parameters" for "arguments"; an OpenAI response's
//   "tool_calls", "function", and arguments as text).
// Arguments of the same name: the last one counts. The answer is valid UTF-8.
std::optional<std::vector<BfclCall>> bfcl_calls(std::string_view answer);

}  // namespace sdft
