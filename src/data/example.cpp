#include "data/example.h"

namespace sdft {
namespace {

bool is_answer(const Json& message) { return message.value("role", "") == "assistant"; }

bool ends_with_answer(const Json& messages) { return !messages.empty() && is_answer(messages.back()); }

}  // namespace

std::string instruction_alone(const Example& example) {
  const size_t input = example.input.size(), whole = example.instruction.size();
  if (input == 0) return example.instruction;
  return example.instruction.substr(0, whole > input ? whole - input - 1 : 0);
}

std::string place_of(const Example& example) {
  const std::string named = "example '" + example.id + "'";
  return example.where.empty() ? named : example.where + " (" + named + ")";
}

std::string text_of_message(const Json& message) {
  std::string text;
  if (message.contains("content") && message["content"].is_string())
    text = message["content"].get<std::string>();
  if (!message.contains("tool_calls")) return text;
  for (const Json& call : message["tool_calls"]) {
    const Json& function = call["function"];
    Json arguments = function["arguments"];
    if (arguments.is_string()) arguments = Json::parse(arguments.get<std::string>(), nullptr, false);
    text += (text.empty() ? "" : "\n") + Json{{"name", function["name"]}, {"arguments", arguments}}.dump();
  }
  return text;
}

Json context_of(const Example& example) {
  if (!example.messages.is_null()) {
    Json context = example.messages;
    if (ends_with_answer(context)) context.erase(context.size() - 1);
    return context;
  }
  Json context = Json::array();
  auto say = [&](const char* role, const std::string& content) {
    context.push_back({{"role", role}, {"content", content}});
  };
  if (!example.system.empty()) say("system", example.system);
  for (const Turn& earlier : example.history) {
    say("user", earlier.query);
    say("assistant", earlier.response);
  }
  say("user", example.instruction);
  return context;
}

Json answer_of(const Example& example) {
  if (example.messages.is_null() || !ends_with_answer(example.messages))
    return {{"role", "assistant"}, {"content", example.response}};
  Json answer = example.messages.back();
  if (text_of_message(answer) == example.response) return answer;
  answer["content"] = example.response;
  answer.erase("tool_calls");
  for (const char* key : kReasoningKeys) answer.erase(key);
  return answer;
}

bool answer_is_call(const Example& example) { return answer_of(example).contains("tool_calls"); }

Json record_of(const Example& example, const std::string& response) {
  Example other = example;
  other.response = response;
  Json record = {{"id", example.id}};
  if (!example.messages.is_null()) {
    record["messages"] = context_of(other);
    record["messages"].push_back(answer_of(other));
  } else {
    record["instruction"] = instruction_alone(example);
    if (!example.input.empty()) record["input"] = example.input;
    record["output"] = response;
    if (!example.system.empty()) record["system"] = example.system;
    if (!example.history.empty()) record["history"] = Json::array();
    for (const Turn& turn : example.history) record["history"].push_back({turn.query, turn.response});
  }
  if (!example.tools.is_null()) record["tools"] = example.tools;
  if (example.weight != 1) record["weight"] = example.weight;
  return record;
}

}  // namespace sdft
