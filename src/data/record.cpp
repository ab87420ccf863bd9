#include "data/record.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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

std::string listed(const Names& names) {
  constexpr size_t kMost = 20;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMost); ++i) text += (i ? ", " : "") + names[i];
  return names.size() > kMost ? text + " and " + std::to_string(names.size() - kMost) + " more" : text;
}

[[noreturn]] void fail_missing(const Json& record, const std::string& named, const Names& defaults) {
  if (!named.empty()) throw BadRecord("field '" + named + "' is missing (" + fields_of(record) + ")");
  throw BadRecord("field '" + defaults.front() + "' is missing, and so are " +
                  listed({defaults.begin() + 1, defaults.end()}) + " (" + fields_of(record) + ")");
}

bool is_preference(const Json& record) { return record.contains("chosen") && record.contains("rejected"); }

[[noreturn]] void fail_preference() {
  throw BadRecord(
      "is a preference record (chosen, rejected), which has two answers; name the column of the one to learn "
      "as the response (columns: response), or as messages where it is a whole conversation");
}

std::string optional_text(const RecordField& field) {
  return field.value && !field.value->is_null() ? text_of(field) : "";
}

// An array, or in a CSV cell the text of one. A cell without text is none.
std::optional<Json> array_of(const RecordField& field) {
  if (!field.value || field.value->is_null()) return std::nullopt;
  const bool text = field.value->is_string();
  if (text && is_blank(field.value->get<std::string>())) return std::nullopt;
  const Json value = text ? json_in(field) : *field.value;
  if (!value.is_array()) bad_field(field.name, "expected an array, found " + describe(value));
  return std::make_optional<Json>(value);  // newer nlohmann-json would convert in two ways
}

// TRL's: the messages that are answered, and the answer as more messages or a text. What an assistant says
// among the former is context.
void read_prompt_messages(const Json& record, const RecordField& prompt, const DatasetOptions& options,
                          Example* example, std::set<std::string>* unread) {
  const Columns& columns = options.columns;
  const RecordField response = find_field(record, columns.response, kResponse);
  if (!response.value && options.response_required) fail_missing(record, columns.response, kResponse);
  Json messages = *prompt.value;
  std::string place = prompt.name;
  if (response.value && response.value->is_array()) {
    place += " + " + response.name;
    for (const Json& message : *response.value) messages.push_back(message);
  } else if (response.value && !response.value->is_null()) {
    auto or_usual = [](const std::string& tag, const char* usual) { return tag.empty() ? usual : tag; };
    messages.push_back({{or_usual(columns.tags.role, "role"), or_usual(columns.tags.assistant, "assistant")},
                        {or_usual(columns.tags.content, "content"), text_of(response)}});
  }
  read_conversation(messages, place, options, example, unread, prompt.value->size());
  if (options.response_required && is_blank(example->response))
    bad_field(response.name, "the answer is empty");
}

std::vector<Turn> history_of(const RecordField& field) {
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

// Stanford's seed tasks: the input and output of a record stand in a list of instances.
std::optional<Json> with_instance(const Json& record) {
  auto at = record.find("instances");
  if (at == record.end() || !at->is_array() || find_field(record, "", kResponse).value) return std::nullopt;
  if (at->size() != 1 || !at->front().is_object())
    bad_field("instances", "expected one instance with input and output, found " +
                               std::to_string(at->size()) + "; write a record for each");
  Json whole = record;
  for (const auto& [key, value] : at->front().items())
    if (!whole.contains(key)) whole[key] = value;
  return std::make_optional<Json>(std::move(whole));
}

void read_flat(const Json& given, const DatasetOptions& options, Example& example) {
  const Columns& columns = options.columns;
  const std::optional<Json> whole = with_instance(given);
  const Json& record = whole ? *whole : given;
  RecordField prompt = find_field(record, columns.prompt, kPrompt);
  if (!prompt.value) fail_missing(record, columns.prompt, kPrompt);
  example.instruction = optional_text(prompt);
  std::string query = optional_text(find_field(record, columns.query, kQuery));
  if (example.instruction.empty())
    example.instruction = query;
  else if (!query.empty())
    example.instruction += "\n" + query;
  example.input = std::move(query);
  if (is_blank(example.instruction)) bad_field(prompt.name, "the prompt is empty");
  example.history = history_of(find_field(record, columns.history, {"history"}));

  RecordField response = find_field(record, columns.response, kResponse);
  if (!response.value && options.response_required) fail_missing(record, columns.response, kResponse);
  if (response.value)
    example.response = options.response_required ? text_of(response) : optional_text(response);
  if (options.response_required && is_blank(example.response))
    bad_field(response.name, "the answer is empty");
}

// Whole numbers are ids too, also where a table has made them 2.0; none where it is null.
std::string id_of(const Json& record, const std::string& named) {
  RecordField field = find_field(record, named, {"id"});
  if (!field.value && named.empty()) return "";
  if (!field.value) fail_missing(record, named, {});
  if (field.value->is_null()) return "";
  if (field.value->is_number_integer()) return field.value->dump();
  if (field.value->is_number()) {
    const double number = field.value->get<double>();
    if (std::floor(number) == number && std::abs(number) < 9e15)
      return std::to_string(static_cast<int64_t>(number));
  }
  std::string id = text_of(field);
  if (id.empty()) bad_field(field.name, "the id is empty");
  return id;
}

// 1 where the record has none.
double weight_of(const Json& record, const std::string& named) {
  const RecordField field = find_field(record, named, {"weight"});
  if (!field.value && !named.empty()) fail_missing(record, named, {});
  if (!field.value || field.value->is_null()) return 1;
  double weight = -1;
  if (field.value->is_number()) weight = field.value->get<double>();
  if (field.value->is_string()) {  // a table's cell
    const std::string text = field.value->get<std::string>();
    if (is_blank(text)) return 1;
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (is_blank(end)) weight = number;
  }
  if (!(weight >= 0 && weight <= 1e9))
    bad_field(field.name, "expected a number from 0 to 1e9, the example's weight in training, found " +
                              describe(*field.value) + " (columns: weight names another column)");
  return weight;
}

// What the record says that a text cannot be trained on.
void check_kind(const Json& record, const DatasetOptions& options) {
  const Columns& columns = options.columns;
  for (const char* media : {"images", "videos", "audios"})
    if (record.contains(media) && record[media].is_array() && !record[media].empty())
      bad_field(media, "the record is about more than text, which this program cannot train on");
  RecordField tag = find_field(record, columns.kto_tag, {"kto_tag", "label"});
  if (!columns.kto_tag.empty() && !tag.value) fail_missing(record, columns.kto_tag, {});
  if (!tag.value || !options.response_required) return;
  const bool is_tag = tag.name != "label" || columns.kto_tag == "label" || record.contains("completion");
  std::string text = tag.value->is_string() && is_tag ? tag.value->get<std::string>() : "";
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (*tag.value == false || text == "false")
    bad_field(tag.name, "is false: the answer is one that must not be learned (KTO); leave the record out");
}

}  // namespace

void bad_field(const std::string& name, const std::string& what) {
  throw BadRecord("field '" + name + "': " + what);
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos; }

std::string fields_of(const Json& record) {
  Names names;
  for (const auto& item : record.items()) names.push_back(item.key());
  return names.empty() ? "the record is empty" : "the record has: " + listed(names);
}

RecordField find_field(const Json& record, const std::string& named, const Names& defaults) {
  for (const auto& name : named.empty() ? defaults : Names{named})
    if (auto at = record.find(name); at != record.end()) return {name, &*at};
  return {named.empty() ? defaults.front() : named, nullptr};
}

std::string text_of(const RecordField& field) {
  if (!field.value->is_string()) bad_field(field.name, "expected a string, found " + describe(*field.value));
  return field.value->get<std::string>();
}

Json json_in(const RecordField& field) {
  try {
    return parse_json(text_of(field), "its text");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    bad_field(field.name, error.what());
  }
}

Example example_from_record(Json record, const DatasetOptions& options, std::set<std::string>* unread) {
  const Columns& columns = options.columns;
  if (!record.is_object()) throw BadRecord("expected an object, found " + describe(record));
  Example example;
  example.id = id_of(record, columns.id);
  example.system = optional_text(find_field(record, columns.system, {"system"}));
  check_kind(record, options);
  if (options.weights) example.weight = weight_of(record, columns.weight);
  const RecordField tools = find_field(record, columns.tools, {"tools", "functions"});
  if (!columns.tools.empty() && !tools.value) fail_missing(record, columns.tools, {});
  example.tools = read_tools(tools);

  RecordField messages = find_field(record, columns.messages, kMessages);
  if (!columns.messages.empty() && !messages.value) fail_missing(record, columns.messages, kMessages);
  bool conversation = messages.value && (!columns.messages.empty() || columns.prompt.empty());
  const RecordField prompt = find_field(record, columns.prompt, kPrompt);
  if (is_preference(record) && columns.response.empty() && columns.messages.empty() &&
      (conversation || (options.response_required && !find_field(record, "", kResponse).value)))
    fail_preference();
  if (conversation) {
    std::optional<Json> list = array_of(messages);
    if (!list) bad_field(messages.name, "the conversation is empty");
    read_conversation(*list, messages.name, options, &example, unread);
    if (options.response_required && is_blank(example.response))
      bad_field(messages.name, "the answer is empty");
  } else if (prompt.value && prompt.value->is_array()) {
    read_prompt_messages(record, prompt, options, &example, unread);
  } else {
    read_flat(record, options, example);
  }
  example.fields = std::move(record);
  return example;
}

}  // namespace sdft
