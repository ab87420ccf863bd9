// Conversations as datasets spell them (ShareGPT, OpenAI, LLaMA-Factory's v1) into OpenAI's form.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/json.h"
#include "data/record.h"

namespace sdft {
namespace {

enum class Role { kSystem, kUser, kAssistant, kTool, kCall };  // kCall: an assistant's call as the content

struct NamedRole {
  const char* name;
  Role role;
};
constexpr std::array<NamedRole, 16> kRoles = {{{"user", Role::kUser},
                                               {"human", Role::kUser},
                                               {"assistant", Role::kAssistant},
                                               {"gpt", Role::kAssistant},
                                               {"model", Role::kAssistant},
                                               {"bot", Role::kAssistant},
                                               {"chatgpt", Role::kAssistant},
                                               {"system", Role::kSystem},
                                               {"developer", Role::kSystem},
                                               {"tool", Role::kTool},
                                               {"function", Role::kTool},
                                               {"ipython", Role::kTool},
                                               {"observation", Role::kTool},
                                               {"function_response", Role::kTool},
                                               {"tool_call", Role::kCall},
                                               {"function_call", Role::kCall}}};

// What chat templates read beside role and content; other keys of a message are named as not read.
const std::vector<std::string> kPassed = {"name", "tool_call_id", "reasoning_content", "reasoning",
                                          "thinking"};
// Whether a turn is learned, as different trainers write it.
const std::vector<std::string> kLearned = {"weight", "loss_weight", "loss", "train"};
const std::vector<std::string> kMasked = {"mask", "masked"};

struct Message {
  Role role;
  std::string place;  // "messages[3]"
  Json json;          // OpenAI's form
  bool learned = true;

  bool is(Role wanted) const { return role == wanted; }
  bool calls() const { return json.contains("tool_calls"); }
};

Role role_of(const RecordField& field, const MessageTags& tags) {
  const std::string role = text_of(field);
  const std::pair<const std::string&, Role> named[] = {{tags.user, Role::kUser},
                                                       {tags.assistant, Role::kAssistant},
                                                       {tags.system, Role::kSystem},
                                                       {tags.observation, Role::kTool},
                                                       {tags.function, Role::kCall}};
  for (const auto& [name, known] : named)
    if (!name.empty() && name == role) return known;
  for (const NamedRole& known : kRoles)
    if (role == known.name) return known.role;
  bad_field(field.name, "unknown role '" + role + "'");
}

bool is_empty(const Json& value) {
  return value.is_null() || value == "" || ((value.is_array() || value.is_object()) && value.empty());
}

const char* name_of(Role role) {
  constexpr const char* kNames[] = {"system", "user", "assistant", "tool", "assistant"};
  return kNames[static_cast<int>(role)];
}

// {"type": "function", "function": {"name", "arguments"}} of what a dataset has for a call. Arguments stay
// text or object, as they were, so that a template gets what `sdft render` would give it.
Json call_of(const Json& json, const std::string& place) {
  if (!json.is_object()) bad_field(place, "expected a tool call, found " + describe(json));
  const Json& function = json.contains("function") ? json["function"] : json;
  if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
    bad_field(place, "the tool call has no name");
  Json arguments = function.value("arguments", function.value("parameters", Json::object()));
  if (arguments.is_null() || arguments == "") arguments = Json::object();
  const Json parsed =
      arguments.is_string() ? json_in({place + ": the tool call's arguments", &arguments}) : arguments;
  if (!parsed.is_object())
    bad_field(place, "the tool call's arguments: expected an object, found " + describe(parsed));
  Json call = Json::object();
  if (json.contains("id") && !is_empty(json["id"])) call["id"] = json["id"];
  call["type"] = "function";
  call["function"] = {{"name", function["name"]}, {"arguments", arguments}};
  return call;
}

// One call or an array of them.
void add_calls(const Json& json, const std::string& place, Json* message) {
  Json& calls = (*message)["tool_calls"];
  if (!json.is_array()) return calls.push_back(call_of(json, place));
  for (const Json& call : json) calls.push_back(call_of(call, place));
  if (calls.empty()) bad_field(place, "holds no tool call");
}

// One of the parts that a content may be made of.
void add_part(const Json& part, const std::string& place, Message* message, std::string* text) {
  if (part.is_string()) return void(*text += part.get<std::string>());
  const std::string type = part.is_object() && part.contains("type") && part["type"].is_string()
                               ? part["type"].get<std::string>()
                               : "text";
  RecordField said = part.is_object() ? find_field(part, "", {"text", "value"}) : RecordField{};
  const bool known = type == "text" || type == "input_text" || type == "output_text" || type == "reasoning" ||
                     type == "tool_call" || type == "tool_calls";
  if (!known || !said.value || !said.value->is_string())
    bad_field(place, "has a part that is not text: " + to_line(part).substr(0, 60));
  if (type == "reasoning") {
    message->json["reasoning_content"] = *said.value;
  } else if (type == "tool_call" || type == "tool_calls") {
    add_calls(json_in({place, said.value}), place, &message->json);
  } else {
    *text += said.value->get<std::string>();
  }
}

void read_content(const RecordField& content, Message* message) {
  if (message->is(Role::kCall)) {
    message->json["content"] = nullptr;
    const bool text = content.value->is_string();
    return add_calls(text ? json_in(content) : *content.value, content.name, &message->json);
  }
  if (content.value->is_null() && message->is(Role::kAssistant)) return;
  if (!content.value->is_array()) return void(message->json["content"] = text_of(content));
  std::string text;
  for (const Json& part : *content.value) add_part(part, content.name, message, &text);
  message->json["content"] = text;
}

// Whether a turn's loss counts: 0 and 1, true and false.
void read_weight(const Json& json, Message* message) {
  auto read = [&](const std::string& key, bool when_set) {
    auto at = json.find(key);
    if (at == json.end() || at->is_null()) return;
    const bool known = at->is_boolean() || (at->is_number() && (*at == 0 || *at == 1));
    if (!known)
      bad_field(message->place + "." + key,
                "expected 0 or 1, whether the turn is learned, found " + describe(*at));
    const bool set = at->is_boolean() ? at->get<bool>() : *at == 1;
    message->learned = set == when_set;
    if (message->learned && !message->is(Role::kAssistant) && !message->is(Role::kCall))
      bad_field(message->place + "." + key, "only an assistant's messages can be learned");
  };
  for (const std::string& key : kLearned) read(key, true);
  for (const std::string& key : kMasked) read(key, false);
}

bool is_one_of(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Message message_of(const Json& json, const MessageTags& tags, const std::string& place, bool learned,
                   std::set<std::string>* unread) {
  if (!json.is_object()) bad_field(place, "expected a message, found " + describe(json));
  const RecordField role = find_field(json, tags.role, {"role", "from"});
  RecordField content = find_field(json, tags.content, {"content", "value"});
  const RecordField calls = find_field(json, "", {"tool_calls", "function_call"});
  const bool has_calls = calls.value && !is_empty(*calls.value);
  if (!role.value) bad_field(place, "'" + role.name + "' is missing (" + fields_of(json) + ")");
  Message message{role_of({place + "." + role.name, role.value}, tags), place, Json::object()};
  message.learned = learned || !(message.is(Role::kAssistant) || message.is(Role::kCall));
  message.json["role"] = name_of(message.role);
  message.json["content"] = nullptr;
  if (content.value)
    read_content({place + "." + content.name, content.value}, &message);
  else if (!has_calls)
    bad_field(place, "'" + content.name + "' is missing (" + fields_of(json) + ")");
  if (has_calls) {
    if (!message.is(Role::kAssistant)) bad_field(place + "." + calls.name, "only an assistant calls tools");
    add_calls(*calls.value, place + "." + calls.name, &message.json);
  }
  if (message.is(Role::kAssistant) && message.json["content"].is_null() && !message.calls())
    bad_field(place + "." + content.name, "is null, and there are no tool_calls");
  read_weight(json, &message);
  for (const auto& [key, value] : json.items()) {
    if (key == role.name || key == content.name || key == calls.name || is_one_of(kLearned, key) ||
        is_one_of(kMasked, key) || is_empty(value))
      continue;
    if (is_one_of(kPassed, key))
      message.json[key] = value;
    else if (key != "id" && key != "type")
      unread->insert(key);
  }
  if (message.is(Role::kCall)) message.role = Role::kAssistant;
  return message;
}

// Whether `next` may follow: system? user (assistant (tool+ assistant)* user)*.
void check_order(const Message* last, const Message& next) {
  const bool after_answer = last && last->is(Role::kAssistant);
  if (next.is(Role::kSystem)) {
    if (last) bad_field(next.place, "a system message must be the first");
  } else if (next.is(Role::kTool)) {
    if (!after_answer && !(last && last->is(Role::kTool)))
      bad_field(next.place, "a tool's result must follow an assistant's message that calls it");
  } else if (next.is(Role::kAssistant)) {
    if (!last || last->is(Role::kSystem))
      bad_field(next.place, "expected a user message, found an assistant's");
    if (after_answer) bad_field(next.place, "expected a user message, found an assistant's");
  } else if (last && !after_answer && !last->is(Role::kSystem)) {
    bad_field(next.place, "expected an assistant message, found a user's");
  }
}

// Calls that stand in several messages are one message's (ShareGPT); results and calls belong together by
// ids, which ShareGPT has none of: nine letters and digits, as Mistral's templates demand.
class Arranger {
 public:
  explicit Arranger(std::vector<Message>* said) : said_(*said) {}

  void add(Message&& message) {
    Message* last = said_.empty() ? nullptr : &said_.back();
    const bool more_calls = last && last->calls() && message.calls() && message.json["content"].is_null() &&
                            last->learned == message.learned;
    if (message.calls()) give_ids(&message);
    if (!more_calls) {
      check_order(last, message);
      if (message.is(Role::kTool)) answer_call(&message);
      if (!message.is(Role::kTool)) open_.clear();
    }
    if (message.calls())
      for (const Json& call : message.json["tool_calls"]) open_.push_back(call["id"]);
    if (!more_calls) return said_.push_back(std::move(message));
    for (Json& call : message.json["tool_calls"]) last->json["tool_calls"].push_back(std::move(call));
  }

 private:
  void give_ids(Message* message) {
    for (Json& call : message->json["tool_calls"]) {
      ++calls_;
      if (call.contains("id")) continue;
      const std::string number = std::to_string(calls_ % 100000);
      Json whole = {{"id", "call" + std::string(5 - number.size(), '0') + number}};
      whole.update(call);
      call = std::move(whole);
    }
  }

  void answer_call(Message* message) {
    if (open_.empty()) return;
    if (!message->json.contains("tool_call_id")) message->json["tool_call_id"] = open_.front();
    auto answered = std::find(open_.begin(), open_.end(), message->json["tool_call_id"]);
    if (answered == open_.end()) bad_field(message->place + ".tool_call_id", "answers no open tool call");
    open_.erase(answered);
  }

  std::vector<Message>& said_;
  std::vector<Json> open_;  // ids of calls without a result
  size_t calls_ = 0;
};

void check_texts(const std::vector<Message>& said) {
  for (size_t i = 0; i < said.size(); ++i) {
    const Message& message = said[i];
    const bool last_answer = i + 1 == said.size() && message.is(Role::kAssistant);
    const bool may_be_empty = message.is(Role::kSystem) || message.is(Role::kTool) || message.calls();
    if (!may_be_empty && !last_answer && is_blank(message.json["content"].get<std::string>()))
      bad_field(message.place, "the message is empty");
  }
}

bool is_plain(const Message& message) {
  return message.json.size() == 2 && !message.is(Role::kTool) && message.learned;
}

// The flat form: exchanges of texts.
void take_texts(std::vector<Message>&& said, Example* example) {
  std::vector<std::string> texts;
  for (const Message& message : said)
    if (!message.is(Role::kSystem)) texts.push_back(message.json["content"].get<std::string>());
  if (texts.size() % 2 == 1) texts.emplace_back();
  example->response = std::move(texts.back());
  example->instruction = std::move(texts[texts.size() - 2]);
  for (size_t i = 0; i + 2 < texts.size(); i += 2)
    example->history.push_back({std::move(texts[i]), std::move(texts[i + 1])});
}

void take_messages(std::vector<Message>&& said, const std::string& field, Example* example) {
  bool learned = false, answered = false;
  example->messages = Json::array();
  if (!example->system.empty() && !said.front().is(Role::kSystem))
    example->messages.push_back({{"role", "system"}, {"content", example->system}});
  for (Message& message : said) {
    if (message.is(Role::kUser)) example->instruction = message.json["content"].get<std::string>();
    if (message.is(Role::kAssistant)) {
      answered = true;
      learned |= message.learned;
      if (!message.learned) message.json["weight"] = 0;
    }
    example->messages.push_back(std::move(message.json));
  }
  if (answered && !learned) bad_field(field, "no message is learned: every assistant's has weight 0");
  if (said.back().is(Role::kAssistant)) example->response = text_of_message(example->messages.back());
}

}  // namespace

void read_conversation(const Json& messages, const std::string& field, const DatasetOptions& options,
                       Example* example, std::set<std::string>* unread, size_t context) {
  std::vector<Message> said;
  Arranger arranger(&said);
  size_t position = 0;
  for (const Json& json : messages) {
    const std::string place = field + "[" + std::to_string(position) + "]";
    Message message = message_of(json, options.columns.tags, place, position++ >= context, unread);
    if (message.is(Role::kSystem)) {
      const std::string text = message.json["content"].get<std::string>();
      if (!example->system.empty() && example->system != text)
        bad_field(place, "differs from the record's system field");
      example->system = text;
    }
    arranger.add(std::move(message));
  }
  check_texts(said);
  if (said.empty() || said.back().is(Role::kSystem)) bad_field(field, "holds no user message");
  if (options.response_required && !said.back().is(Role::kAssistant))
    bad_field(field, std::string("ends with a ") +
                         (said.back().is(Role::kTool) ? "tool's result" : "user message") +
                         ", so there is no response");
  if (std::all_of(said.begin(), said.end(), is_plain))
    take_texts(std::move(said), example);
  else
    take_messages(std::move(said), field, example);
}

Json read_tools(const RecordField& field) {
  if (!field.value || is_empty(*field.value)) return nullptr;
  if (field.value->is_string() && is_blank(field.value->get<std::string>())) return nullptr;
  Json tools = field.value->is_string() ? json_in(field) : *field.value;
  if (tools.is_object()) tools = Json::array({tools});
  if (!tools.is_array()) bad_field(field.name, "expected an array of tool schemas, found " + describe(tools));
  for (Json& tool : tools) {
    const bool wrapped = tool.is_object() && tool.contains("function") && tool["function"].is_object();
    const Json& function = wrapped ? tool["function"] : tool;
    if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
      bad_field(field.name, "expected tool schemas with a name, found " + describe(tool));
    if (!wrapped) tool = Json{{"type", "function"}, {"function", Json(tool)}};
  }
  return tools.empty() ? Json() : tools;
}

}  // namespace sdft
