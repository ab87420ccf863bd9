#include "serve/server.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstring>
#include <ctime>

#include "base/error.h"
#include "infer/embeddings.h"
#include "infer/scorer.h"
#include "serve/logprobs.h"
#include "serve/text.h"
#include "serve/tool_calls.h"

namespace sdft::serve {

namespace {
using Clock = std::chrono::steady_clock;

// An address of this machine that no other reaches; 127.x.example is a name, and anybody's.
bool is_loopback(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

// A page of elsewhere whose name was made to mean this machine (DNS rebinding) says that name.
bool is_addressed_here(const httplib::Request& request) {
  std::string host = request.get_header_value("Host");
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
  return host.empty() || host == "[::1]" || is_loopback(host);
}

// Not by who compares faster.
bool equal(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const char* finish_of(FinishReason reason) { return reason == FinishReason::kStop ? "stop" : "length"; }

// What a call's answers have become.
struct Choice {
  AnswerText text;
  std::string whole;
  std::optional<FinishReason> finish = {};
  int64_t tokens = 0;
  std::vector<int32_t> first = {};         // of a prompt that is echoed, the token that nothing was before
  std::vector<TokenScore> scores = {};     // that no chunk has had yet
  std::optional<ToolCallText> tools = {};  // where some are offered

  std::vector<ToolCall> calls() const { return finish && tools ? tools->calls() : std::vector<ToolCall>(); }
};

// One call to (chat) completions on its way: the names and forms of OpenAI's answers.
struct Reply {
  std::unique_ptr<Service::Call> call;
  std::vector<Choice> choices;
  Ask ask;
  const Tokenizer* tokenizer = nullptr;
  std::string id, model;
  int64_t created = 0, prompt_tokens = 0;
  Clock::time_point last;  // when it is cancelled
  size_t open = 0;

  Json head(bool chunk) const {
    const std::string object =
        ask.chat ? (chunk ? "chat.completion.chunk" : "chat.completion") : "text_completion";
    return {{"id", id}, {"object", object}, {"created", created}, {"model", model}};
  }
  Json usage() const {
    int64_t written = 0;
    for (const Choice& choice : choices) written += choice.tokens;
    return {{"prompt_tokens", prompt_tokens},
            {"completion_tokens", written},
            {"total_tokens", prompt_tokens + written}};
  }
  Json finish_of_choice(size_t i) const {
    if (!choices[i].calls().empty()) return "tool_calls";
    return choices[i].finish ? Json(finish_of(*choices[i].finish)) : Json();
  }
  // What there is of scores, which are then no longer there.
  Json logprobs(size_t i) {
    if (ask.top_logprobs < 0) return nullptr;
    const std::vector<TokenScore> scores = std::move(choices[i].scores);
    choices[i].scores.clear();
    return ask.chat ? chat_logprobs(*tokenizer, scores) : text_logprobs(*tokenizer, scores, choices[i].first);
  }
  Json chunk(size_t i, const Json& delta) {
    Json json = head(true);
    json["choices"] = Json::array({{{"index", i},
                                    {ask.chat ? "delta" : "text", delta},
                                    {"logprobs", logprobs(i)},
                                    {"finish_reason", finish_of_choice(i)}}});
    return json;
  }
  // More of a choice's text, which may be none, and at its end its calls.
  Json delta(size_t i, const std::string& text) const {
    if (!ask.chat) return text;
    Json delta = Json::object();
    if (!text.empty()) delta["content"] = text;
    if (const auto calls = choices[i].calls(); !calls.empty())
      delta["tool_calls"] = tool_calls_json(calls, call_id(i), true);
    return delta;
  }
  std::string call_id(size_t i) const {
    return "call_" + id.substr(id.find('-') + 1) + "-" + std::to_string(i);
  }

  Json whole() {
    Json json = head(false);
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices.size(); ++i) {
      Json choice = {{"index", i}, {"logprobs", logprobs(i)}, {"finish_reason", finish_of_choice(i)}};
      if (ask.chat) {
        choice["message"] = {{"role", "assistant"}, {"content", choices[i].whole}};
        if (const auto calls = choices[i].calls(); !calls.empty()) {
          choice["message"]["tool_calls"] = tool_calls_json(calls, call_id(i), false);
          if (choices[i].whole.empty()) choice["message"]["content"] = nullptr;
        }
      } else
        choice["text"] = choices[i].whole;
      json["choices"].push_back(std::move(choice));
    }
    json["usage"] = usage();
    return json;
  }

  // Takes what is there, waiting a little: which choice has how much more text.
  std::optional<std::pair<size_t, std::string>> take() {
    constexpr std::chrono::milliseconds kWait(100);
    if (Clock::now() > last) throw ApiError(503, "the answer took too long and was cancelled");
    const auto event = call->mailbox().take(kWait);
    if (!event) return std::nullopt;
    Choice& choice = choices[event->choice];
    std::string more;
    if (event->done) {
      choice.finish = event->done->finish;
      choice.tokens = static_cast<int64_t>(event->done->ids.size());
      more = choice.text.finish();
      if (choice.tools) more = choice.tools->add(more), more += choice.tools->finish();
      --open;
    } else {
      more = choice.text.add(event->token);
      if (choice.tools) more = choice.tools->add(more);
      if (event->score) choice.scores.push_back(*event->score);
    }
    choice.whole += more;
    return std::make_pair(event->choice, more);
  }
};

// False: the client has gone.
bool write(httplib::DataSink& sink, const std::string& text) {
  return sink.is_writable() && sink.write(text.data(), text.size());
}

// The reply as one object, once it is there: whoever waits for it may go as well, hence piece by piece.
bool write_whole(Reply& reply, httplib::DataSink& sink) {
  reply.take();
  if (reply.open > 0) return sink.is_writable();
  if (!write(sink, text_of(reply.whole()))) return false;
  sink.done();
  return true;
}

// What a provider throws would end the program. False: the transfer breaks, and who asked may ask again; the
// status, 200, has been sent.
template <typename Provide>
bool or_broken(const Provide& provide) {
  try {
    return provide();
  } catch (const std::exception& error) {
    spdlog::warn("an answer was broken off: {}", error.what());
    return false;
  }
}

// Server-sent events of a reply. False: the client has gone.
class Events {
 public:
  explicit Events(std::shared_ptr<Reply> reply) : reply_(std::move(reply)) {}

  bool next(httplib::DataSink& sink) {
    if (!begun_) {
      begun_ = true;
      if (reply_->ask.chat)
        for (size_t i = 0; i < reply_->choices.size(); ++i)
          if (!send(sink, reply_->chunk(i, {{"role", "assistant"}, {"content", ""}}))) return false;
    }
    try {
      const auto more = reply_->take();
      if (!more) return sink.is_writable();
      const auto& [i, text] = *more;
      const bool ended = reply_->choices[i].finish.has_value();
      if ((!text.empty() || ended) && !send(sink, reply_->chunk(i, reply_->delta(i, text)))) return false;
      if (reply_->open > 0) return true;
      if (reply_->ask.include_usage) {
        Json last = reply_->head(true);
        last["choices"] = Json::array();
        last["usage"] = reply_->usage();
        if (!send(sink, last)) return false;
      }
    } catch (const ApiError& error) {
      if (!send(sink, error.body())) return false;
    }
    if (!write(sink, "data: [DONE]\n\n")) return false;
    sink.done();
    return true;
  }

 private:
  static bool send(httplib::DataSink& sink, const Json& json) {
    return write(sink, "data: " + text_of(json) + "\n\n");
  }

  std::shared_ptr<Reply> reply_;
  bool begun_ = false;
};

std::string base64(const float* numbers, int64_t count) {
  const auto bytes = static_cast<int>(count * 4);
  std::string text(static_cast<size_t>((bytes + 2) / 3 * 4), '\0');
  std::vector<unsigned char> room(text.size() + 1);
  EVP_EncodeBlock(room.data(), reinterpret_cast<const unsigned char*>(numbers), bytes);
  std::memcpy(text.data(), room.data(), text.size());
  return text;
}
}  // namespace

struct Server::Impl {
  Impl(Service* s, const ServerOptions& o) : service(s), options(o) {}

  Service* const service;
  const ServerOptions options;
  httplib::Server http;
  int port = 0;
  socket_t listening = INVALID_SOCKET;
  std::atomic<uint64_t> calls{0};
  std::atomic<bool> stopped{false};
  std::mutex reading;  // of prompts to be scored, and texts to be embedded: one at a time

  static void answer(httplib::Response& response, const Json& json, int status = 200) {
    response.status = status;
    response.set_content(text_of(json), "application/json");
  }
  static void refuse(httplib::Response& response, const ApiError& error) {
    if (error.status == 429) response.set_header("Retry-After", "1");
    answer(response, error.body(), error.status);
  }
  // Who may not ask is refused, and what a handler throws becomes an answer.
  void guard(const httplib::Request& request, httplib::Response& response,
             const std::function<void()>& handle) const {
    try {
      if (options.key.empty() && !is_addressed_here(request))
        throw ApiError(403, "without a key this server answers to names of this machine alone");
      if (!options.key.empty() && !equal(request.get_header_value("Authorization"), "Bearer " + options.key))
        throw ApiError(401, "this server asks for its key as a bearer token");
      handle();
    } catch (const ApiError& error) {
      refuse(response, error);
    } catch (const Error& error) {
      refuse(response, ApiError(error.code() == ExitCode::kInternal ? 500 : 400, error.what()));
    } catch (const std::exception& error) {
      refuse(response, ApiError(500, error.what()));
    }
  }
  void get(const std::string& path, const std::function<void(httplib::Response&)>& handle) {
    http.Get(path, [this, handle](const httplib::Request& request, httplib::Response& response) {
      guard(request, response, [&] { handle(response); });
    });
  }
  // The body is read to its end whoever asks: what stayed of it would be taken for the next request. Its
  // limit is that of what it unpacks to.
  void post(const std::string& path, const std::function<void(const Json&, httplib::Response&)>& handle) {
    http.Post(path, [this, handle](const httplib::Request& request, httplib::Response& response,
                                   const httplib::ContentReader& read) {
      constexpr size_t kDrained = size_t{1} << 30;
      std::string body;
      size_t size = 0;
      const bool whole = read([&](const char* data, size_t count) {
        size += count;
        if (size <= options.most_body) body.append(data, count);
        return size <= kDrained;
      });
      guard(request, response, [&] {
        if (size > options.most_body || response.status == 413) throw ApiError(413, "the body is too large");
        if (!whole) throw ApiError(400, "the body could not be read");
        Json json;
        try {
          json = parse_json(body, "body");
        } catch (const Error& error) {
          throw ApiError(400, error.what());
        }
        handle(json, response);
      });
    });
  }

  std::vector<std::vector<int32_t>> prompts_of(const Ask& ask) const {
    const ModelBundle& bundle = service->bundle();
    if (!ask.token_ids.empty()) return ask.token_ids;
    std::vector<std::vector<int32_t>> prompts;
    if (ask.chat) {
      service->require_chat();
      Formatter formatter = bundle.formatter;
      if (!ask.chat_template_kwargs.is_null()) formatter.render.extra.update(ask.chat_template_kwargs);
      prompts.push_back(prompt_ids(formatter, find_prompt_template("chat"), ask.conversation));
    }
    for (const std::string& text : ask.texts) prompts.push_back(bundle.tokenizer.encode(text, {true, true}));
    for (const auto& prompt : prompts)
      if (prompt.empty())
        throw ApiError(400, "the prompt is empty, and this tokenizer puts no BOS token before it", "prompt");
    return prompts;
  }

  // The prompt in front of the answer, with its tokens' scores where these are wanted.
  void echo(const Ask& ask, const std::vector<int32_t>& prompt, Choice* choice) {
    choice->whole = service->bundle().tokenizer.decode(prompt);
    if (ask.top_logprobs < 0) return;
    const ModelView model = service->model(ask.model);
    std::lock_guard<std::mutex> lock(reading);
    choice->first = {prompt.front()};
    choice->scores = token_scores(model, prompt, ask.top_logprobs);
  }

  static std::optional<ToolCallText> tools_of(const Ask& ask) {
    std::set<std::string> names;
    for (const Json& tool : ask.conversation.tools) {
      const Json& function = tool.contains("function") ? tool["function"] : tool;
      if (function.is_object() && function.value("name", Json()).is_string()) names.insert(function["name"]);
    }
    if (names.empty()) return std::nullopt;
    return ToolCallText(std::move(names));
  }

  std::shared_ptr<Reply> begin(Ask ask) {
    auto reply = std::make_shared<Reply>();
    const uint64_t number = calls.fetch_add(1) + 1;
    reply->id = (ask.chat ? "chatcmpl-" : "cmpl-") + std::to_string(std::time(nullptr)) + "-" +
                std::to_string(number);
    reply->created = std::time(nullptr);
    reply->model = ask.model.empty() ? service->models().front() : ask.model;
    reply->last = Clock::now() +
                  std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
    const std::vector<std::vector<int32_t>> prompts = prompts_of(ask);
    service->require_room(static_cast<int64_t>(prompts.size()) * ask.n);
    std::vector<Service::Asked> asked;
    for (const std::vector<int32_t>& prompt : prompts) {
      reply->prompt_tokens += static_cast<int64_t>(prompt.size());
      RequestOptions how = service->options_for(ask.wishes, ask.model, prompt.size());
      how.top_logprobs = ask.top_logprobs;
      if (!asked.empty()) how.seed = asked.front().options.seed;
      Choice choice{AnswerText(service->bundle().tokenizer, ask.wishes.stop), ""};
      if (ask.echo) echo(ask, prompt, &choice);
      if (ask.chat) choice.tools = tools_of(ask);
      for (int64_t k = 0; k < ask.n; ++k) {
        asked.push_back({{"choice " + std::to_string(k), prompt}, how});
        reply->choices.push_back(choice);
      }
    }
    reply->tokenizer = &service->bundle().tokenizer;
    reply->open = reply->choices.size();
    reply->ask = std::move(ask);
    reply->call = service->begin(std::move(asked));
    return reply;
  }

  void complete(Ask ask, httplib::Response& response) {
    const bool stream = ask.stream;
    const std::shared_ptr<Reply> reply = begin(std::move(ask));
    if (stream) {
      response.set_header("Cache-Control", "no-cache");
      auto events = std::make_shared<Events>(reply);
      response.set_chunked_content_provider("text/event-stream", [events](size_t, httplib::DataSink& sink) {
        return or_broken([&] { return events->next(sink); });
      });
      return;
    }
    response.set_chunked_content_provider("application/json", [reply](size_t, httplib::DataSink& sink) {
      return or_broken([&] { return write_whole(*reply, sink); });
    });
  }

  void embed(const EmbeddingAsk& ask, httplib::Response& response) {
    const ModelView model = service->model(ask.model);
    std::lock_guard<std::mutex> lock(reading);
    const Tensor vectors =
        embedder_of(model, service->bundle().tokenizer, "hidden states").embed(ask.texts, {}).contiguous();
    Json data = Json::array();
    const int64_t width = vectors.size(1);
    for (int64_t i = 0; i < vectors.size(0); ++i) {
      const float* row = vectors.data_ptr<float>() + i * width;
      data.push_back({{"object", "embedding"},
                      {"index", i},
                      {"embedding",
                       ask.base64 ? Json(base64(row, width)) : Json(std::vector<float>(row, row + width))}});
    }
    int64_t tokens = 0;
    for (const std::string& text : ask.texts)
      tokens += static_cast<int64_t>(service->bundle().tokenizer.encode(text, {true, false}).size());
    answer(response, {{"object", "list"},
                      {"model", ask.model.empty() ? service->models().front() : ask.model},
                      {"data", std::move(data)},
                      {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
  }

  std::string metrics() const {
    const Figures f = service->figures();
    std::string text;
    auto add = [&](const std::string& name, const char* type, const char* help, const std::string& value) {
      text += "# HELP sdft_" + name + " " + help + "\n# TYPE sdft_" + name + " " + type + "\nsdft_" + name +
              " " + value + "\n";
    };
    add("requests_open", "gauge", "Requests that wait or are answered.", std::to_string(f.open));
    add("requests_total", "counter", "Requests begun.", std::to_string(f.requests));
    add("requests_cancelled_total", "counter", "Requests whose client went, or that took too long.",
        std::to_string(f.cancelled));
    add("requests_refused_total", "counter", "Calls refused because too many waited.",
        std::to_string(f.refused));
    add("prompt_tokens_total", "counter", "Tokens of prompts.", std::to_string(f.prompt_tokens));
    add("generated_tokens_total", "counter", "Tokens of answers that ended.", std::to_string(f.new_tokens));
    add("first_token_seconds_sum", "counter", "Seconds from requests to their first tokens.",
        std::to_string(f.first_token_seconds));
    add("first_token_seconds_count", "counter", "Requests that had a first token.",
        std::to_string(f.first_tokens));
    return text;
  }

  // Paths are patterns to the library.
  static std::string exactly(const std::string& path) {
    std::string pattern;
    for (const char c : path) pattern += c == '.' ? "\\." : std::string(1, c);
    return pattern;
  }

  void route_models() {
    get("/metrics", [this](httplib::Response& response) {
      response.set_content(metrics(), "text/plain; version=0.0.4");
    });
    get("/v1/models", [this](httplib::Response& response) {
      Json data = Json::array();
      for (const std::string& name : service->models())
        data.push_back({{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", "sdft.cpp"}});
      answer(response, {{"object", "list"}, {"data", std::move(data)}});
    });
    post("/v1/chat/completions",
         [this](const Json& body, httplib::Response& response) { complete(read_chat(body), response); });
    post("/v1/completions", [this](const Json& body, httplib::Response& response) {
      complete(read_completion(body), response);
    });
    post("/v1/embeddings",
         [this](const Json& body, httplib::Response& response) { embed(read_embedding(body), response); });
  }

  void route() {
    http.Get("/health", [](const httplib::Request&, httplib::Response& response) {
      answer(response, {{"status", "ok"}});
    });
    for (const auto& [path, file] : options.files)
      http.Get(exactly(path), [&content = file](const httplib::Request&, httplib::Response& response) {
        // All that the page needs is here.
        response.set_header(
            "Content-Security-Policy",
            "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' "
            "'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        response.set_content(content.text, content.type);
      });
    for (const auto& [path, view] : options.views) {
      const auto show = [&view = view](const Json& asked, httplib::Response& response) {
        const Content content = view(asked);
        response.set_content(content.text, content.type);
      };
      http.Get(exactly(path), [this, show](const httplib::Request& request, httplib::Response& response) {
        guard(request, response, [&] {
          Json asked = Json::object();
          for (const auto& [key, value] : request.params) asked[key] = value;
          show(asked, response);
        });
      });
      post(exactly(path), show);
    }
    if (service) route_models();
    http.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
      if (!response.body.empty()) return;
      const std::string what = response.status == 404
                                   ? "there is no " + request.method + " " + request.path.substr(0, 200) +
                                         (service ? "" : "; this server was started without a model")
                               : response.status == 413 ? "the body is too large"
                                                        : "the request could not be read";
      answer(response, ApiError(response.status, what).body(), response.status);
    });
  }

  void set_limits() {
    constexpr time_t kIdleSeconds = 5, kWriteSeconds = 30;
    const auto threads = static_cast<size_t>(options.connections);
    http.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
    http.set_payload_max_length(options.most_body);
    http.set_keep_alive_max_count(1000);
    http.set_keep_alive_timeout(kIdleSeconds);
    http.set_read_timeout(kIdleSeconds);    // of a header or body that stops coming
    http.set_write_timeout(kWriteSeconds);  // of a client that does not read
    http.set_tcp_nodelay(true);
    http.set_socket_options(
        [this](socket_t socket) {  // of its own SO_REUSEPORT would share the port with another server
          const int yes = 1;
          ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
          listening = socket;
        });
  }
  // Of the library's own accord 5 connections wait to be taken, and who comes beside them tries again a
  // second later.
  void let_many_wait() const { ::listen(listening, SOMAXCONN); }
};

Server::Server(Service* service, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(service, options)) {
  if (!is_loopback(options.host) && options.key.empty())
    fail_usage("host '" + options.host + "' can be reached by others, so the server needs a key",
               "set SDFT_API_KEY, or serve on 127.0.0.1");
  impl_->set_limits();
  impl_->route();
  const bool bound = options.port == 0 ? (impl_->port = impl_->http.bind_to_any_port(options.host)) > 0
                                       : impl_->http.bind_to_port(options.host, options.port);
  if (options.port != 0) impl_->port = options.port;
  if (!bound)
    fail_usage("port " + std::to_string(options.port) + " of " + options.host +
                   " cannot be had: " + std::strerror(errno),
               "choose another with --port");
  impl_->let_many_wait();
}
Server::~Server() = default;

int Server::port() const { return impl_->port; }
void Server::run() {
  if (!impl_->http.listen_after_bind() && !impl_->stopped)
    throw Error(ExitCode::kDevice,
                std::string("the server cannot take connections any more: ") + std::strerror(errno));
}
void Server::stop() {
  impl_->stopped = true;
  impl_->http.stop();
}

}  // namespace sdft::serve
