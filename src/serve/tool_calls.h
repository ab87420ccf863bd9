// Calls of tools in an answer: models write them as text, each family in its way, and clients read them as
// fields.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft::serve {

struct ToolCall {
  std::string name;
  std::string arguments;  // a JSON object, as text
};

// Takes an answer's text as it comes, and keeps back what is or may become a call:
// - <tool_call>{"name": ..., "arguments": {...}}</tool_call>, once or more (Hermes, Qwen, SmolLM);
// - such an object, or a list of them, behind [TOOL_CALLS] (Mistral) or <|python_tag|> (Llama 3.1);
// - nothing but such an object or list, of the tools that are offered (Llama 3.2; and where the mark is a
// special token,
//   which texts are without). "parameters" is read as "arguments".
// What cannot be read is text after all.
class ToolCallText {
 public:
  explicit ToolCallText(std::set<std::string> offered) : offered_(std::move(offered)) {}

  std::string add(const std::string& text);  // what is certainly no call
  std::string finish();                      // the rest of the text, and calls() are there
  const std::vector<ToolCall>& calls() const { return calls_; }

 private:
  std::string released();
  bool read_list(const std::string& text, bool any);

  std::set<std::string> offered_;
  std::string held_;
  bool begun_ = false, holding_ = false;  // some text has come; all of it is kept back
  std::vector<ToolCall> calls_;
};

// OpenAI's "tool_calls"; each call's id begins with `id`. With its place where it is part of a stream.
Json tool_calls_json(const std::vector<ToolCall>& calls, const std::string& id, bool streamed);

}  // namespace sdft::serve
