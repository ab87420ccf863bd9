#include "data/record.h"

#include <array>
#include <optional>

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace {

using Names = std::vector<std::string>;

const Names kMessages = {"messages", "conversations", "conversation"};
const Names kPrompt = {"instruction", "question", "prompt", "goal"};
const Names kQuery = {"input", "context"};
const Names kResponse = {"output", "answer", "response", "target", "completion"};

enum class Side { kSystem, kUser, kAssistant };

struct Role {
  const char* name;
  Side side;
};
// What tools return is read, what calls them is written: the sides LLaMA-Factory gives them, too.
constexpr std::array<Role, 15> kRoles = {{{"user", Side::kUser},
                                          {"human", Side::kUser},
                                          {"assistant", Side::kAssistant},
                                          {"gpt", Side::kAssistant},
                                          {"model", Side::kAssistant},
                                          {"bot", Side::kAssistant},
                                          {"chatgpt", Side::kAssistant},
                                          {"system", Side::kSystem},
                                          {"developer", Side::kSystem},
                                          {"tool", Side::kUser},
                                          {"function", Side::kUser},
                                          {"ipython", Side::kUser},
                                          {"observation", Side::kUser},
                                          {"function_response", Side::kUser},
                                          {"function_call", Side::kAssistant}}};

struct Field {
  std::string name;
  const Json* value = nullptr;  // null: the record has no such field
};

struct Message {
  Side side;
  std::string content;
};

[[noreturn]] void bad_field(const std::string& name, const std::string& what) {
  throw BadRecord("field '" + name + "': " + what);
}

bool blank(const std::string& text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos; }

std::string listed(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string fields_of(const Json& record) {
  Names names;
  for (const auto& item : record.items()) names.push_back(item.key());
  return names.empty() ? "the record is empty" : "the record has: " + listed(names);
}

// The field called `named`, or where that is empty the first of `defaults` that is there.
Field find(const Json& record, const std::string& named, const Names& defaults) {
  for (const auto& name : named.empty() ? defaults : Names{named})
    if (auto at = record.find(name); at != record.end()) return {name, &*at};
  return {named.empty() ? defaults.front() : named, nullptr};
}

[[noreturn]] void fail_missing(const Json& record, const std::string& named, const Names& defaults) {
  if (!named.empty()) throw BadRecord("field '" + named + "' is missing (" + fields_of(record) + ")");
  throw BadRecord("field '" + defaults.front() + "' is missing, and so are " +
                  listed({defaults.begin() + 1, defaults.end()}) + " (" + fields_of(record) + ")");
}

std::string text_of(const Field& field) {
  if (!field.value->is_string()) bad_field(field.name, "expected a string, found " + describe(*field.value));
  return field.value->get<std::string>();
}

std::string optional_text(const Field& field) {
  return field.value && !field.value->is_null() ? text_of(field) : "";
}

// An array, or in a CSV cell the text of one. A cell without text is none.
std::optional<Json> array_of(const Field& field) {
  if (!field.value || field.value->is_null()) return std::nullopt;
  Json parsed;
  if (field.value->is_string()) {
    std::string text = field.value->get<std::string>();
    if (blank(text)) return std::nullopt;
    try {
      parsed = parse_json(text, "its text");
    } catch (const Error& error) {
      bad_field(field.name, error.what());
    }
  }
  const Json& value = field.value->is_string() ? parsed : *field.value;
  if (!value.is_array()) bad_field(field.name, "expected an array, found " + describe(value));
  return std::make_optional<Json>(value);  // newer nlohmann-json would convert in two ways
}

std::vector<Turn> history_of(const Field& field) {
  std::vector<Turn> history;
  std::optional<Json> pairs = array_of(field);
  if (!pairs) return history;
  for (const Json& pair : *pairs) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
      bad_field(field.name + "[" + std::to_string(history.size()) + "]",
                "expected a pair [query, response] of strings, found " + pair.dump().substr(0, 60));
    history.push_back({pair[0].get<std::string>(), pair[1].get<std::string>()});
  }
  return history;
}

Side side_of(const std::string& role, const MessageTags& tags, const std::string& place) {
  const std::pair<const std::string&, Side> named[] = {{tags.user, Side::kUser},
                                                       {tags.assistant, Side::kAssistant},
                                                       {tags.system, Side::kSystem},
                                                       {tags.observation, Side::kUser},
                                                       {tags.function, Side::kAssistant}};
  for (const auto& [name, side] : named)
    if (!name.empty() && name == role) return side;
  for (const Role& known : kRoles)
    if (role == known.name) return known.side;
  bad_field(place, "unknown role '" + role + "'");
}

// A string, or the {"type": "text", "text": ...} parts that chat APIs use.
std::string content_of(const Field& field) {
  if (!field.value->is_array()) return text_of(field);
  std::string text;
  for (const Json& part : *field.value) {
    bool is_text = part.is_object() && part.contains("text") && part["text"].is_string();
    if (!is_text) bad_field(field.name, "has a part that is not text: " + part.dump().substr(0, 60));
    text += part["text"].get<std::string>();
  }
  return text;
}

Message message_of(const Json& message, const MessageTags& tags, const std::string& place) {
  if (!message.is_object()) bad_field(place, "expected a message, found " + describe(message));
  Field role = find(message, tags.role, {"role", "from"});
  Field content = find(message, tags.content, {"content", "value"});
  for (Field* field : {&role, &content}) {
    if (!field->value) bad_field(place, "'" + field->name + "' is missing (" + fields_of(message) + ")");
    field->name = place + "." + field->name;
  }
  return {side_of(text_of(role), tags, role.name), content_of(content)};
}

// Fills the example from system? (user assistant)+; a last user message without an answer only
// `without_response`.
void read_conversation(const Json& messages, const std::string& field, const MessageTags& tags,
                       bool without_response, Example& example) {
  std::vector<std::string> said;  // user, assistant, user, ...
  size_t position = 0;
  for (const Json& json : messages) {
    std::string place = field + "[" + std::to_string(position) + "]";
    Message message = message_of(json, tags, place);
    if (message.side == Side::kSystem) {
      if (position > 0) bad_field(place, "a system message must be the first");
      if (!example.system.empty() && example.system != message.content)
        bad_field(place, "differs from the record's system field");
      example.system = message.content;
    } else {
      bool users_turn = said.size() % 2 == 0;
      if (users_turn != (message.side == Side::kUser))
        bad_field(place, users_turn ? "expected a user message, found an assistant's"
                                    : "expected an assistant message, found a user's");
      bool last = position + 1 == messages.size();
      if (blank(message.content) && !(last && !users_turn)) bad_field(place, "the message is empty");
      said.push_back(std::move(message.content));
    }
    ++position;
  }
  if (said.empty()) bad_field(field, "holds no user message");
  if (said.size() % 2 == 1) {
    if (!without_response) bad_field(field, "ends with a user message, so there is no response");
    said.emplace_back();
  }
  example.response = std::move(said.back());
  example.instruction = std::move(said[said.size() - 2]);
  for (size_t i = 0; i + 2 < said.size(); i += 2)
    example.history.push_back({std::move(said[i]), std::move(said[i + 1])});
}

void read_flat(const Json& record, const DatasetOptions& options, Example& example) {
  const Columns& columns = options.columns;
  Field prompt = find(record, columns.prompt, kPrompt);
  if (!prompt.value) fail_missing(record, columns.prompt, kPrompt);
  example.instruction = optional_text(prompt);
  std::string query = optional_text(find(record, columns.query, kQuery));
  if (example.instruction.empty())
    example.instruction = query;
  else if (!query.empty())
    example.instruction += "\n" + query;
  if (blank(example.instruction)) bad_field(prompt.name, "the prompt is empty");
  example.history = history_of(find(record, columns.history, {"history"}));

  Field response = find(record, columns.response, kResponse);
  if (!response.value && options.response_required) fail_missing(record, columns.response, kResponse);
  if (response.value)
    example.response = options.response_required ? text_of(response) : optional_text(response);
  if (options.response_required && blank(example.response)) bad_field(response.name, "the answer is empty");
}

std::string id_of(const Json& record, const std::string& named) {
  Field field = find(record, named, {"id"});
  if (!field.value && named.empty()) return "";
  if (!field.value) fail_missing(record, named, {});
  if (field.value->is_number_integer()) return field.value->dump();
  std::string id = text_of(field);
  if (id.empty()) bad_field(field.name, "the id is empty");
  return id;
}

}  // namespace

Example example_from_record(Json record, const DatasetOptions& options) {
  const Columns& columns = options.columns;
  if (!record.is_object()) throw BadRecord("expected an object, found " + describe(record));
  Example example;
  example.id = id_of(record, columns.id);
  example.system = optional_text(find(record, columns.system, {"system"}));

  Field messages = find(record, columns.messages, kMessages);
  if (!columns.messages.empty() && !messages.value) fail_missing(record, columns.messages, kMessages);
  bool conversation = messages.value && (!columns.messages.empty() || columns.prompt.empty());
  if (conversation) {
    std::optional<Json> list = array_of(messages);
    if (!list) bad_field(messages.name, "the conversation is empty");
    read_conversation(*list, messages.name, columns.tags, !options.response_required, example);
    if (options.response_required && blank(example.response)) bad_field(messages.name, "the answer is empty");
  } else {
    read_flat(record, options, example);
  }
  example.fields = std::move(record);
  return example;
}

}  // namespace sdft
