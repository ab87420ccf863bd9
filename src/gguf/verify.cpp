#include "gguf/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "remote/http.h"

namespace sdft::gguf {
namespace {

// A system message or none, then questions and answers in turn.
struct Conversation {
  const char* system;
  std::vector<const char*> turns;
};
const std::vector<Conversation>& conversations() {
  static const std::vector<Conversation> list = {
      {nullptr, {"What is the capital of France?"}},
      {"You answer in one short sentence.", {"Why is the sky blue?"}},
      {nullptr, {"Hi!", "Hello! How can I help you?", "Count from 1 to 10, please."}},
      {nullptr, {"Write a Python function that adds two numbers.\n\n```python\ndef add(a, b):\n```"}},
      {nullptr, {"  Spaces   before,\tbetween\n\n\nand behind.  "}},
      {nullptr, {"Übersetze: „Guten Morgen“ – café, naïve, 你好, Привет 👍🏽"}},
      {"You are a teacher.\nYou like numbers.", {"12345 + 67890 = ?", "80235", "And 3.14159 * 2?"}},
      {nullptr, {"List three fruits."}},
      {nullptr, {"{\"role\": \"user\", \"content\": \"{{ x }} {% y %}\"} What is this?"}},
      {nullptr,
       {"Tell me a story about a fox.", "Once upon a time there was a fox.",
        "It'S SHORT. Go on, we'LL wait..."}},
  };
  return list;
}

// Llama-server's own interface, which lies beside /v1.
class LlamaServer {
 public:
  explicit LlamaServer(const VerifyOptions& options) : client_(endpoint_) {
    endpoint_.url = options.url;
    endpoint_.key = options.key;
    endpoint_.model = "any";
    check_endpoint(endpoint_);
    root_ = address_of(endpoint_, "");
    if (root_.size() > 3 && root_.compare(root_.size() - 3, 3, "/v1") == 0) root_.resize(root_.size() - 3);
  }

  // What stands under `field` in the reply.
  template <typename T>
  T ask(const std::string& path, const Json& body, const char* field) {
    constexpr double kSeconds = 600;
    const std::string url = root_ + path;
    client_.post(0, url, to_line(body), kSeconds);
    std::vector<HttpReply> replies;
    while (replies.empty()) replies = client_.wait(Clock::now() + std::chrono::seconds(1));
    const HttpReply& reply = replies.front();
    if (reply.fault != HttpFault::kNone)
      fail_input(url, reply.error, "start llama.cpp's server: llama-server -m FILE.gguf");
    if (reply.status != 200)
      fail_input(url, fmt::format("HTTP {}: {}", reply.status, excerpt(endpoint_, reply.body)),
                 "expected llama.cpp's server, its model loaded");
    return require<T>(parse_json(reply.body, url), field, url);
  }

 private:
  Endpoint endpoint_;
  HttpClient client_;
  std::string root_;
};

using Ids = std::vector<int32_t>;

template <typename Items>
size_t parting(const Items& a, const Items& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

std::string from(const std::string& text, size_t at) {
  constexpr size_t kShown = 32;
  return at >= text.size() ? "the end" : to_line(text.substr(at, kShown));
}

std::string text_parting(const std::string& here, const std::string& there) {
  if (here == there) return "";
  size_t at = parting(here, there);
  while (at > 0 && at < here.size() && (static_cast<unsigned char>(here[at]) & 0xc0) == 0x80)
    --at;  // a character
  return fmt::format("byte {}: here {}, there {}", at, from(here, at), from(there, at));
}

// As the ids stand there, so that a token of half a character is one that can be told from others.
std::string token_name(const Tokenizer& tokenizer, const Ids& ids, size_t at) {
  if (at >= ids.size()) return "the end";
  return fmt::format("{} {}", ids[at], to_line(tokenizer.token_of(ids[at])));
}

std::string token_parting(const Tokenizer& tokenizer, const Ids& here, const Ids& there) {
  if (here == there) return "";
  const size_t at = parting(here, there);
  return fmt::format("token {}: here {}, there {}", at, token_name(tokenizer, here, at),
                     token_name(tokenizer, there, at));
}

// By how much the one token is likelier than the other to the model here, behind these.
double log_ratio(ModelView model, const Ids& before, int32_t here, int32_t there) {
  const PackedTokens tokens = pack({before}, model->device);
  const Tensor last = at::full({1}, static_cast<int64_t>(before.size()) - 1, at::kLong).to(model->device);
  const Tensor scores = logits(model, forward(model, tokens, {}, last)).to(at::kCPU, at::kDouble);
  return scores[0][here].item<double>() - scores[0][there].item<double>();
}

struct Prepared {
  Json messages;
  std::string prompt;
  Ids ids;
};

Prepared prepared(const ModelBundle& bundle, const Conversation& conversation) {
  Prepared result;
  result.messages = Json::array();
  if (conversation.system) result.messages.push_back({{"role", "system"}, {"content", conversation.system}});
  for (size_t i = 0; i < conversation.turns.size(); ++i)
    result.messages.push_back({{"role", i % 2 ? "assistant" : "user"}, {"content", conversation.turns[i]}});
  RenderOptions render;
  render.add_generation_prompt = true;
  try {
    result.prompt = bundle.chat_template.render(result.messages, render);
  } catch (const Error& error) {
    if (!conversation.system || error.code() != ExitCode::kInput) throw;
    result.messages.erase(0);
    result.prompt = bundle.chat_template.render(result.messages, render);
  }
  result.ids = bundle.tokenizer.encode(result.prompt);
  return result;
}

// Of the text as the server renders it, with what it puts in front; then of each message alone.
std::string compare_tokens(const ModelBundle& bundle, const Prepared& own, const std::string& rendered,
                           LlamaServer* server) {
  const auto theirs = [&](const std::string& text, bool special) {
    return server->ask<Ids>("/tokenize",
                            {{"content", text}, {"add_special", true}, {"parse_special", special}}, "tokens");
  };
  const Ids whole = theirs(rendered, true);
  if (whole != own.ids) return token_parting(bundle.tokenizer, own.ids, whole);
  for (const Json& message : own.messages) {
    const auto text = message["content"].get<std::string>();
    const Ids here = bundle.tokenizer.encode(text, {true, false}), there = theirs(text, false);
    if (here != there)
      return fmt::format("message {}: {}", to_line(text), token_parting(bundle.tokenizer, here, there));
  }
  return "";
}

void compare_answers(const ModelBundle& bundle, const Prepared& own, const Completion& answer,
                     const GenerateOptions& options, LlamaServer* server, Comparison* result) {
  Ids there = server->ask<Ids>("/completion",
                               {{"prompt", own.ids},
                                {"n_predict", options.max_new_tokens},
                                {"temperature", 0},
                                {"top_k", 1},
                                {"repeat_penalty", 1},
                                {"cache_prompt", false},
                                {"return_tokens", true}},
                               "tokens");
  const auto stops = [&](int32_t id) {
    return std::find(options.stop_ids.begin(), options.stop_ids.end(), id) != options.stop_ids.end();
  };
  if (!there.empty() && stops(there.back())) there.pop_back();
  result->answer_tokens = answer.ids.size();
  result->answer = token_parting(bundle.tokenizer, answer.ids, there);
  if (result->answer.empty()) return;
  const size_t at = parting(answer.ids, there);
  const int32_t end = options.stop_ids.empty() ? -1 : options.stop_ids[0];
  const auto next = [&](const Ids& ids) { return at < ids.size() ? ids[at] : end; };
  const int32_t here =
      answer.stop_token >= 0 && at == answer.ids.size() ? answer.stop_token : next(answer.ids);
  if (here < 0 || next(there) < 0 || next(there) >= bundle.config.vocab_size) return;
  Ids before = own.ids;
  before.insert(before.end(), answer.ids.begin(), answer.ids.begin() + static_cast<std::ptrdiff_t>(at));
  result->nats = log_ratio(bundle.with_adapter(), before, here, next(there));
  result->answer += fmt::format(" ({:.2g} nats likelier here)", result->nats);
}

}  // namespace

void verify(const ModelBundle& bundle, const VerifyOptions& asked,
            const std::function<void(const Comparison&)>& on_each) {
  require_chat_template(bundle, "chat", "a model without one has no conversations to compare");
  LlamaServer server(asked);
  std::vector<Prepared> all;
  std::vector<Request> requests;
  for (const Conversation& conversation : conversations()) {
    all.push_back(prepared(bundle, conversation));
    requests.push_back({std::to_string(all.size()), all.back().ids});
  }
  server.ask<std::string>("/apply-template", {{"messages", all[0].messages}},
                          "prompt");  // before the model works
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.stop_ids = generate_options(bundle).stop_ids;
  options.max_new_tokens = asked.max_new_tokens;
  const std::vector<Completion> answers = generate(bundle.with_adapter(), requests, options);
  const auto bos = bundle.tokenizer.bos_id();
  const std::string first = bos ? bundle.tokenizer.token_of(*bos) : "";
  for (size_t i = 0; i < all.size(); ++i) {
    const Prepared& own = all[i];
    const auto there = server.ask<std::string>("/apply-template", {{"messages", own.messages}}, "prompt");
    Comparison result;
    result.question = own.messages.back()["content"].get<std::string>();
    // The server leaves out a BOS that it puts in front of the tokens itself.
    if (first + there != own.prompt) result.prompt = text_parting(own.prompt, there);
    result.tokens = compare_tokens(bundle, own, there, &server);
    compare_answers(bundle, own, answers[i], options, &server, &result);
    result.prompt_tokens = own.ids.size();
    on_each(result);
  }
}

}  // namespace sdft::gguf
