#include "data/turns.h"

#include "data/record.h"

namespace sdft {
namespace {

std::string id_of_turn(const Example& example, size_t number, bool last) {
  return last ? example.id : example.id + " turn " + std::to_string(number);
}

// Calls use(place, id) for each answer in `messages` that is learned and is text alone.
template <typename Use>
void each_answer(const Example& example, const Use& use) {
  size_t number = 0;
  for (size_t i = 0; i < example.messages.size(); ++i) {
    const Json& message = example.messages[i];
    if (message["role"] != "assistant") continue;
    ++number;
    const bool learned = message.value("weight", 1) != 0 && !message.contains("tool_calls");
    if (learned && message["content"].is_string() && !is_blank(message["content"].get<std::string>()))
      use(i, id_of_turn(example, number, i + 1 == example.messages.size()));
  }
}

// What an example up to one of its earlier answers has in common with the whole.
Example beginning_of(const Example& example, const std::string& id) {
  Example turn = example;
  const bool last = id == example.id;
  turn.id = id;
  if (last) return turn;
  turn.input.clear();
  turn.fields = nullptr;
  return turn;
}

}  // namespace

std::vector<Example> turns_of(const Example& example) {
  std::vector<Example> turns;
  if (!example.messages.is_null()) {
    each_answer(example, [&](size_t place, const std::string& id) {
      Example turn = beginning_of(example, id);
      turn.messages = Json::array();
      for (size_t i = 0; i <= place; ++i) turn.messages.push_back(example.messages[i]);
      for (const Json& message : turn.messages)
        if (message["role"] == "user") turn.instruction = message["content"].get<std::string>();
      if (id != example.id) turn.response = text_of_message(turn.messages.back());
      turns.push_back(std::move(turn));
    });
    return turns;
  }
  for (size_t k = 0; k < example.history.size(); ++k) {
    if (is_blank(example.history[k].response)) continue;
    Example turn = beginning_of(example, id_of_turn(example, k + 1, false));
    turn.history.resize(k);
    turn.instruction = example.history[k].query;
    turn.response = example.history[k].response;
    turns.push_back(std::move(turn));
  }
  if (!is_blank(example.response)) turns.push_back(example);
  return turns;
}

Example with_responses(const Example& example, const std::map<std::string, std::string>& by_id) {
  Example changed = example;
  auto given = [&](const std::string& id, auto put) {
    if (const auto at = by_id.find(id); at != by_id.end()) put(at->second);
  };
  if (example.messages.is_null()) {
    for (size_t k = 0; k < example.history.size(); ++k)
      given(id_of_turn(example, k + 1, false),
            [&](const std::string& text) { changed.history[k].response = text; });
    given(example.id, [&](const std::string& text) { changed.response = text; });
    return changed;
  }
  each_answer(example, [&](size_t place, const std::string& id) {
    given(id, [&](const std::string& text) {
      Json& message = changed.messages[place];
      if (text == text_of_message(message)) return;  // with its reasoning, where it has one
      message["content"] = text;
      for (const char* key : kReasoningKeys) message.erase(key);
      if (id == example.id) changed.response = text;
    });
  });
  return changed;
}

}  // namespace sdft
