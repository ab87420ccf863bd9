#include "data/forms.h"

#include <algorithm>
#include <deque>

#include "base/error.h"

namespace sdft {
namespace {

constexpr const char* kRather = "write the form messages, which can";

Json messages_of(const Example& example) {
  Json messages = context_of(example);
  messages.push_back(answer_of(example));
  return messages;
}

// What stands beside the form's own keys.
Json with_common(const Example& example, Json record, bool tools_as_text) {
  if (!example.tools.is_null()) record["tools"] = tools_as_text ? Json(example.tools.dump()) : example.tools;
  if (example.weight != 1) record["weight"] = example.weight;
  return record;
}

Json alpaca(const Example& example) {
  if (!example.messages.is_null() || !example.tools.is_null())
    fail_input(place_of(example), "has what Alpaca's form cannot say: tools, reasoning or turns not learned",
               kRather);
  return record_of(example, example.response);
}

// The calls of a message as ShareGPT's value.
std::string calls_text(const Json& calls) {
  Json list = Json::array();
  for (const Json& call : calls) {
    Json arguments = call["function"]["arguments"];
    if (arguments.is_string()) arguments = Json::parse(arguments.get<std::string>(), nullptr, false);
    list.push_back({{"name", call["function"]["name"]}, {"arguments", arguments}});
  }
  return (list.size() == 1 ? list[0] : list).dump();
}

// Results belong to calls by their order there: `open` are the ids of calls without one.
Json sharegpt_turn(const Example& example, const Json& message, std::deque<Json>* open) {
  static const std::vector<std::string> kSaid = {"role", "content", "tool_calls", "tool_call_id"};
  for (const auto& [key, value] : message.items())
    if (std::find(kSaid.begin(), kSaid.end(), key) == kSaid.end())
      fail_input(place_of(example), "has '" + key + "' in a message, which ShareGPT's form cannot say",
                 kRather);
  const std::string role = message["role"], said = message["content"].is_string() ? message["content"] : "";
  if (message.contains("tool_calls")) {
    if (!said.empty())
      fail_input(place_of(example), "has a text beside a tool call, which ShareGPT's form cannot say",
                 kRather);
    for (const Json& call : message["tool_calls"]) open->push_back(call.value("id", Json()));
    return {{"from", "function_call"}, {"value", calls_text(message["tool_calls"])}};
  }
  if (role != "tool")
    return {{"from", role == "user" ? "human" : role == "system" ? role : "gpt"}, {"value", said}};
  if (!open->empty()) {
    if (message.contains("tool_call_id") && message["tool_call_id"] != open->front())
      fail_input(place_of(example),
                 "has results in another order than calls, which ShareGPT's form cannot say", kRather);
    open->pop_front();
  }
  return {{"from", "observation"}, {"value", said}};
}

Json sharegpt(const Example& example) {
  Json turns = Json::array();
  std::deque<Json> open;
  for (const Json& message : messages_of(example)) turns.push_back(sharegpt_turn(example, message, &open));
  return with_common(example, {{"id", example.id}, {"conversations", turns}}, true);
}

Json messages(const Example& example) {
  return with_common(example, {{"id", example.id}, {"messages", messages_of(example)}}, false);
}

Json trl(const Example& example) {
  if (answer_is_call(example))
    fail_input(place_of(example), "has a tool call as its answer, which is no text for privileged_context",
               kRather);
  const std::string seen =
      value_or<std::string>(example.fields, "original", example.response, place_of(example));
  Json record = {{"id", example.id}, {"prompt", context_of(example)}, {"privileged_context", seen}};
  if (!example.tools.is_null()) record["tools"] = example.tools;
  return record;
}

struct RecordForm {
  const char* name;
  Json (*write)(const Example&);
};
constexpr RecordForm kForms[] = {
    {"alpaca", alpaca}, {"sharegpt", sharegpt}, {"messages", messages}, {"trl", trl}};

}  // namespace

const std::vector<std::string>& form_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const RecordForm& form : kForms) names.emplace_back(form.name);
    return names;
  }();
  return kNames;
}

Json in_form(const Example& example, const std::string& form) {
  for (const RecordForm& known : kForms)
    if (form == known.name) return known.write(example);
  fail_usage("unknown form '" + form + "' of a dataset");
}

bool rewrite_accepted(const Example& example) {
  return require<bool>(example.fields, "accepted", place_of(example));
}

}  // namespace sdft
