#include "data/reasoning.h"

#include "base/error.h"
#include "data/record.h"
#include "data/thinking.h"

namespace sdft {

const std::vector<std::string>& reasoning_names() {
  static const std::vector<std::string> kNames = {"drop", "keep", "learn"};
  return kNames;
}

Reasoning find_reasoning(const std::string& name) {
  return static_cast<Reasoning>(place_of_choice(reasoning_names(), name, "reasoning"));
}

std::optional<TracedText> take_apart(std::string_view text) {
  const std::string_view answer = strip_thinking(text), head = text.substr(0, text.size() - answer.size());
  if (head.empty()) return std::nullopt;
  TracedText parts;
  parts.answer = answer;
  size_t end = 0;  // of the trace: the last closing mark
  for (const auto& [open, close] : kTraceMarks) {
    const size_t at = head.rfind(close);
    const bool begins = head.find(open) == head.find_first_not_of(" \t\r\n\f\v");
    if (at == std::string_view::npos ? !begins || !parts.close.empty() : at < end) continue;
    parts.open = open;
    parts.opened = begins;
    const size_t begin = begins ? head.find(open) + open.size() : 0;
    end = at == std::string_view::npos ? head.size() : at;
    parts.close = at == std::string_view::npos ? std::string_view() : close;
    parts.trace = head.substr(begin, end - begin);
    parts.space = head.substr(end + parts.close.size());
  }
  return parts;
}

size_t trace_size(std::string_view text) { return text.size() - strip_thinking(text).size(); }

std::string apply_reasoning(Reasoning reasoning, const std::string& text) {
  return reasoning == Reasoning::kDrop ? std::string(strip_thinking(text)) : text;
}

namespace {
void apply_to_answer(Reasoning reasoning, const std::string& place, std::string* answer) {
  const auto parts = take_apart(*answer);
  if (!parts) return;
  if (is_blank(std::string(parts->answer)))
    fail_input(place,
               parts->close.empty() ? "the answer's reasoning trace does not end"
                                    : "the answer is nothing but a reasoning trace",
               "leave the record out, or mend it");
  if (reasoning == Reasoning::kDrop) *answer = std::string(parts->answer);
}
}  // namespace

Example apply_reasoning(Reasoning reasoning, Example example) {
  const std::string place = place_of(example);
  const bool own = !example.messages.is_null() && !example.messages.empty() &&
                   text_of_message(example.messages.back()) == example.response;
  for (Turn& turn : example.history) apply_to_answer(reasoning, place, &turn.response);
  if (!example.messages.is_null())
    for (Json& message : example.messages) {
      if (message["role"] != "assistant") continue;
      if (message["content"].is_string() && !message.contains("tool_calls")) {
        std::string text = message["content"].get<std::string>();
        apply_to_answer(reasoning, place, &text);
        message["content"] = text;
      } else if (message["content"].is_string()) {  // a trace alone may stand in front of calls
        message["content"] = apply_reasoning(reasoning, message["content"].get<std::string>());
      }
      if (reasoning == Reasoning::kDrop)
        for (const char* key : kReasoningKeys) message.erase(key);
    }
  if (own)
    example.response = text_of_message(example.messages.back());
  else
    apply_to_answer(reasoning, place, &example.response);
  return example;
}

}  // namespace sdft
