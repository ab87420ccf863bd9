#include "serve/request.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "data/record.h"

namespace sdft::serve {

namespace {
constexpr int64_t kMostChoices = 16, kMostStops = 16, kMostPrompts = 256, kMostLogprobs = 20;

[[noreturn]] void fail(const std::string& field, const std::string& what) {
  throw ApiError(400, "'" + field + "': " + what, field);
}

// Fields of every answer that change nothing of it.
const std::set<std::string> kWithoutEffect = {"user",
                                              "metadata",
                                              "store",
                                              "service_tier",
                                              "prompt_cache_key",
                                              "safety_identifier",
                                              "parallel_tool_calls"};

// A body's fields, each taken once; what is left over is not known.
class Fields {
 public:
  explicit Fields(const Json& body) : body_(body) {
    if (!body.is_object()) throw ApiError(400, "the body is " + describe(body) + ", expected an object");
  }

  // Null where it is not there or null.
  Json take(const std::string& name) {
    taken_.insert(name);
    return body_.contains(name) ? body_[name] : Json();
  }
  std::string text(const std::string& name) {
    const Json value = take(name);
    if (value.is_null()) return "";
    if (!value.is_string()) fail(name, "expected a text, found " + describe(value));
    return value;
  }
  bool truth(const std::string& name) {
    const Json value = take(name);
    if (!value.is_null() && !value.is_boolean())
      fail(name, "expected true or false, found " + describe(value));
    return !value.is_null() && value.get<bool>();
  }
  std::optional<double> number(const std::string& name, double least, double most) {
    const Json value = take(name);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() <= most))
      fail(name, fmt_range("a number", least, most) + ", found " + describe(value));
    return value.get<double>();
  }
  std::optional<int64_t> whole(const std::string& name, int64_t least, int64_t most) {
    const Json value = take(name);
    if (value.is_null()) return std::nullopt;
    const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                                 : value.is_number_integer();
    if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most)
      fail(name, fmt_range("a whole number", static_cast<double>(least), static_cast<double>(most)) +
                     ", found " + describe(value));
    return value.get<int64_t>();
  }
  std::vector<std::string> texts(const std::string& name, int64_t most) {
    const Json value = take(name);
    if (value.is_null()) return {};
    if (value.is_string()) return {value};
    const bool all = value.is_array() &&
                     std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
    if (!all || static_cast<int64_t>(value.size()) > most)
      fail(name, "expected a text or a list of up to " + std::to_string(most) + ", found " + describe(value));
    return value.get<std::vector<std::string>>();
  }
  // A field of which only this value is supported.
  void only(const std::string& name, const std::vector<Json>& accepted, const std::string& why) {
    const Json value = take(name);
    if (!value.is_null() && std::find(accepted.begin(), accepted.end(), value) == accepted.end())
      fail(name, why);
  }
  void finish() const {
    for (const auto& [name, value] : body_.items()) {
      if (taken_.count(name) || kWithoutEffect.count(name)) continue;
      const std::string near = nearest(name, taken_);
      fail(printable(name.substr(0, 80)),
           "is not known here" + (near.empty() ? "" : ", did you mean '" + near + "'?"));
    }
  }

 private:
  static std::string fmt_range(const std::string& what, double least, double most) {
    auto shown = [](double x) { return std::to_string(x).substr(0, std::to_string(x).find('.') + 2); };
    return "expected " + what + " from " + shown(least) +
           (std::isfinite(most) && most < 1e15 ? " to " + shown(most) : "");
  }
  const Json& body_;
  std::set<std::string> taken_;
};

// What chat completions and completions have in common.
void read_common(Fields& fields, Ask* ask) {
  ask->model = fields.text("model");
  Wishes& wishes = ask->wishes;
  wishes.temperature = fields.number("temperature", 0, 2);
  wishes.top_p = fields.number("top_p", 1e-6, 1);
  wishes.top_k = fields.whole("top_k", -1, INT64_MAX);
  wishes.repetition_penalty = fields.number("repetition_penalty", 0.01, 100);
  wishes.seed = fields.whole("seed", INT64_MIN, INT64_MAX);
  wishes.max_tokens = fields.whole("max_tokens", 1, INT64_MAX);
  wishes.stop = fields.texts("stop", kMostStops);
  wishes.stop.erase(std::remove(wishes.stop.begin(), wishes.stop.end(), ""), wishes.stop.end());
  ask->n = fields.whole("n", 1, kMostChoices).value_or(1);
  ask->stream = fields.truth("stream");
  if (const Json options = fields.take("stream_options"); !options.is_null()) {
    if (!options.is_object()) fail("stream_options", "expected an object, found " + describe(options));
    Fields of_stream(options);
    ask->include_usage = of_stream.truth("include_usage");
    of_stream.truth("include_obfuscation");
    of_stream.finish();
  }
  const std::string penalty = "is not supported, repetition_penalty is";
  fields.only("presence_penalty", {0, 0.0}, penalty);
  fields.only("frequency_penalty", {0, 0.0}, penalty);
  fields.only("logit_bias", {Json::object()}, "is not supported");
}

// Content that is a list of texts, as one.
Json with_plain_content(Json messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    Json& message = messages[i];
    if (!message.is_object()) continue;  // read_conversation() says so
    if (message.value("role", Json()) == "developer") message["role"] = "system";
    if (!message.contains("content") || !message["content"].is_array()) continue;
    std::string text;
    for (const Json& part : message["content"]) {
      if (!part.is_object() || part.value("type", Json()) != "text" ||
          !part.value("text", Json()).is_string())
        fail("messages[" + std::to_string(i) + "].content", "only parts of the type text are supported");
      text += part["text"].get<std::string>();
    }
    message["content"] = text;
  }
  return messages;
}
}  // namespace

Json ApiError::body() const {
  const char* type = status == 401 || status == 403  ? "authentication_error"
                     : status == 429                 ? "rate_limit_error"
                     : status >= 400 && status < 500 ? "invalid_request_error"
                                                     : "server_error";
  auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {
      {"error", {{"message", what()}, {"type", type}, {"param", or_null(param)}, {"code", or_null(code)}}}};
}

void Wishes::apply(RequestOptions* options) const {
  SamplingOptions& sampling = options->sampling;
  if (temperature) sampling.temperature = *temperature;
  if (top_p) sampling.top_p = *top_p;
  if (top_k) sampling.top_k = std::max<int64_t>(0, *top_k);  // -1: all, as vLLM has it
  if (repetition_penalty) sampling.repetition_penalty = *repetition_penalty;
  if (seed) options->seed = static_cast<uint64_t>(*seed);
  if (max_tokens) options->max_new_tokens = *max_tokens;
  for (const std::string& text : stop) options->constraints.stop_strings.push_back(text);
}

Ask read_chat(const Json& body) {
  Fields fields(body);
  Ask ask;
  ask.chat = true;
  read_common(fields, &ask);
  if (const auto most = fields.whole("max_completion_tokens", 1, INT64_MAX)) ask.wishes.max_tokens = most;
  const bool scored = fields.truth("logprobs");
  const auto top = fields.whole("top_logprobs", 0, kMostLogprobs);
  if (top && !scored) fail("top_logprobs", "needs logprobs: true");
  if (scored) ask.top_logprobs = top.value_or(0);
  ask.wishes.json_object = fields.take("response_format") == Json{{"type", "json_object"}};
  fields.only("response_format", {Json{{"type", "text"}}, Json{{"type", "json_object"}}},
              "only the types text and json_object are supported");
  const Json choice = fields.take("tool_choice");
  fields.only("tool_choice", {"auto", "none"}, "only auto and none are supported");
  ask.chat_template_kwargs = fields.take("chat_template_kwargs");
  if (!ask.chat_template_kwargs.is_null() && !ask.chat_template_kwargs.is_object())
    fail("chat_template_kwargs", "expected an object, found " + describe(ask.chat_template_kwargs));
  Json record = {{"messages", fields.take("messages")}};
  if (!record["messages"].is_array() || record["messages"].empty())
    fail("messages", "expected a list of messages, found " + describe(record["messages"]));
  record["messages"] = with_plain_content(std::move(record["messages"]));
  if (record["messages"].back().is_object() && record["messages"].back().value("role", Json()) == "assistant")
    fail("messages", "the last one is the assistant's, which is to be written");
  if (Json tools = fields.take("tools"); !tools.is_null() && choice != "none")
    record["tools"] = std::move(tools);
  fields.finish();
  DatasetOptions options;
  options.response_required = false;
  try {
    std::set<std::string> unread;
    ask.conversation = example_from_record(std::move(record), options, &unread);
    ask.conversation.id = "messages";  // for what the chat template has to say of it
  } catch (const BadRecord& error) {
    throw ApiError(400, error.what(), "messages");
  }
  return ask;
}

Ask read_completion(const Json& body) {
  Fields fields(body);
  Ask ask;
  read_common(fields, &ask);
  ask.top_logprobs = fields.whole("logprobs", 0, kMostLogprobs).value_or(-1);
  ask.echo = fields.truth("echo");
  if (ask.echo && ask.stream) fail("echo", "cannot be streamed");
  fields.only("best_of", {1}, "only 1 is supported");
  fields.only("suffix", {""}, "is not supported");
  const Json prompt = fields.take("prompt");
  auto is_ids = [](const Json& list) {
    return list.is_array() && !list.empty() && std::all_of(list.begin(), list.end(), [](const Json& one) {
             return one.is_number_integer() && one >= 0 && one <= INT32_MAX;
           });
  };
  const bool many = prompt.is_array() && !prompt.empty() && prompt.size() <= kMostPrompts;
  if (is_ids(prompt))
    ask.token_ids = {prompt.get<std::vector<int32_t>>()};
  else if (many && std::all_of(prompt.begin(), prompt.end(), is_ids))
    ask.token_ids = prompt.get<std::vector<std::vector<int32_t>>>();
  else if (prompt.is_string())
    ask.texts = {prompt.get<std::string>()};
  else if (many && std::all_of(prompt.begin(), prompt.end(), [](const Json& one) { return one.is_string(); }))
    ask.texts = prompt.get<std::vector<std::string>>();
  else
    fail("prompt", "expected a text, a list of texts, or of token ids, at most " +
                       std::to_string(kMostPrompts) + ", found " + describe(prompt));
  fields.finish();
  return ask;
}

EmbeddingAsk read_embedding(const Json& body) {
  constexpr int64_t kMostTexts = 2048;
  Fields fields(body);
  EmbeddingAsk ask;
  ask.model = fields.text("model");
  ask.texts = fields.texts("input", kMostTexts);
  const Json format = fields.take("encoding_format");
  fields.only("encoding_format", {"float", "base64"}, "only float and base64 are supported");
  ask.base64 = format == "base64";
  fields.only("dimensions", {}, "is not supported");
  if (ask.texts.empty()) fail("input", "expected a text or a list of texts");
  for (const std::string& text : ask.texts)
    if (text.empty()) fail("input", "has an empty text");
  fields.finish();
  return ask;
}

}  // namespace sdft::serve
