// The server through the real executable: the answers of `sdft generate` and `sdft eval`, whoever asks, and
// nobody harmed by clients that go, stall or send nonsense.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <httplib.h>

#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_command.h"
#include "cli/served.h"
#include "cli/small_model.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kTop = SDFT_SOURCE_DIR, kMini = kTop / "assets" / "mini-seed";

// Texts and finish of a stream of events.
struct Streamed {
  std::string text, finish;
  int events = 0;
  Json usage;
  bool done = false;
};
Streamed streamed(const Served& server, Json body) {
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const auto reply = server.client().Post("/v1/chat/completions", body.dump(), "application/json");
  Streamed all;
  if (!reply) return all;
  for (const std::string& line : lines_of(reply->body)) {
    if (line.rfind("data: ", 0) != 0) continue;
    if (line == "data: [DONE]") {
      all.done = true;
      continue;
    }
    const Json event = parse_json(line.substr(6), "event");
    ++all.events;
    if (event.contains("usage")) all.usage = event["usage"];
    for (const Json& choice : event["choices"]) {
      all.text += choice["delta"].value("content", "");
      if (choice["finish_reason"].is_string()) all.finish = choice["finish_reason"];
    }
  }
  return all;
}

// A connection that is used by hand.
class Socket {
 public:
  explicit Socket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool send(const std::string& text) const {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Until the other side closes or has sent so much.
  std::string receive(size_t most) const {
    std::string all;
    char bytes[4096];
    while (all.size() < most) {
      pollfd wanted{fd_, POLLIN, 0};
      if (::poll(&wanted, 1, 30000) <= 0) break;
      const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
      if (count <= 0) break;
      all.append(bytes, static_cast<size_t>(count));
    }
    return all;
  }

 private:
  int fd_;
};

std::string request_text(const Json& body) {
  const std::string text = body.dump();
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\n\r\n" + text;
}

// Rewrites of the seed behind a server are the bytes that the seed writes here.
TEST(Serve, ItsSeedWritesTheRewritesOfARun) {
  ScratchDir dir;
  const Served server({"--model", kMini.string(), "--threads", "1"});
  const auto distill = [&](const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> args = {
        "distill",           "model_name_or_path=" + kMini.string(),
        "max_samples=12",    "dataset=" + (kTop / "assets/mini-world/delivery_train.jsonl").string(),
        "temperature=0",     "output_dir=" + (dir / out).string(),
        "max_new_tokens=24", "answer_check=answer",
        "threads=1",         "own_answer_first=true"};
    args.insert(args.end(), more.begin(), more.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.err;
  };
  distill("here", {});
  const std::string told =
      distill("there", {"generation_endpoint_model=seed", "endpoint_concurrency=4",
                        "generation_endpoint=http://127.0.0.1:" + std::to_string(server.port())});
  EXPECT_THAT(told, HasSubstr("12 prompts of"));
  for (const char* file : {"distill/distilled.jsonl", "distill/summary.json"})
    EXPECT_EQ(read_text(dir / "here" / file), read_text(dir / "there" / file));
}

TEST(Serve, AnswersAreObjectsWhereTheyAreAskedFor) {
  const Served server({"--model", kMini.string(), "--threads", "1"});
  for (int seed = 0; seed < 4; ++seed) {
    const Json reply =
        server.post("/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "Say hello."}}}},
                                             {"response_format", {{"type", "json_object"}}},
                                             {"seed", seed},
                                             {"temperature", 1},
                                             {"max_tokens", 100}});
    const Json choice = reply["choices"][0];
    const std::string text = choice["message"]["content"];
    EXPECT_EQ(text.find('{'), 0u) << text;
    if (choice["finish_reason"] != "stop") continue;  // cut by the limit
    EXPECT_TRUE(Json::parse(text).is_object());
  }
}

TEST(Serve, SeedAndAdaptersAnswerAsGenerateDoes) {
  ScratchDir dir;
  write_small_model(dir / "model");
  write_small_adapter(dir / "model", dir / "tuned" / "adapter");
  const std::string model = (dir / "model").string(), adapter = (dir / "tuned").string();
  Served server({"--model", model, "--adapters", adapter});
  const Json models = parse_json(server.client().Get("/v1/models")->body, "models");
  ASSERT_EQ(models["data"].size(), 2u);
  EXPECT_EQ(models["data"][1]["id"], "tuned");
  for (const std::string query : {"What is 3 plus 4?", "Hello", "x"}) {
    const auto generated = [&](const std::vector<std::string>& more) {
      std::vector<std::string> args = {"generate", "--model",          model, "--prompt",      query,
                                       "--json",   "--max_new_tokens", "24",  "--temperature", "0"};
      args.insert(args.end(), more.begin(), more.end());
      return parse_json(run_command(args).out, "generate")["answer"].get<std::string>();
    };
    const std::string seed = generated({}),
                      tuned = generated({"--adapter", (dir / "tuned" / "adapter").string()});
    EXPECT_NE(seed, tuned);
    std::vector<std::string> found(6);
    std::vector<std::thread> clients;  // at once, in one batch
    for (size_t i = 0; i < found.size(); ++i)
      clients.emplace_back([&, i] { found[i] = server.answer(i % 2 ? "tuned" : "seed", query); });
    for (std::thread& client : clients) client.join();
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], i % 2 ? tuned : seed);
    const Streamed stream = streamed(
        server,
        {{"messages", {{{"role", "user"}, {"content", query}}}}, {"temperature", 0}, {"max_tokens", 24}});
    EXPECT_EQ(stream.text, seed);
    EXPECT_TRUE(stream.done);
    EXPECT_GT(stream.usage["completion_tokens"], 0);
  }
  EXPECT_EQ(server.end().exit_code, 0);
}

TEST(Serve, EvaluatesAsTheModelItself) {
  ScratchDir dir;
  Served server({"--model", kMini.string()});
  const auto eval = [&](const std::vector<std::string>& more, const std::string& out) {
    std::vector<std::string> args = {"eval",
                                     "--tasks",
                                     "gsm8k,arc_easy",
                                     "--include_path",
                                     (kTop / "tests" / "task" / "tasks").string(),
                                     "--data_dir",
                                     (kTop / "tests" / "task" / "data").string(),
                                     "--output_dir",
                                     (dir / out).string(),
                                     "--num_fewshot",
                                     "1"};
    args.insert(args.end(), more.begin(), more.end());
    const CommandResult result = run_command(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
  };
  eval({"--model_name_or_path", kMini.string()}, "own");
  eval({"--endpoint", "http://127.0.0.1:" + std::to_string(server.port()), "--endpoint_model", "mini-seed"},
       "served");
  const fs::path own = dir / "own" / "eval" / "seed", served = dir / "served" / "eval" / "mini-seed";
  EXPECT_EQ(read_text(own / "gsm8k" / "items.jsonl"), read_text(served / "gsm8k" / "items.jsonl"));
  std::vector<Json> scores[2];
  for (const auto& [place, folder] : {std::pair{0, own}, {1, served}})
    for_each_line(folder / "arc_easy" / "items.jsonl", [&, to = place](std::string_view line, size_t) {
      scores[to].push_back(parse_json(line, "items"));
    });
  ASSERT_EQ(scores[0].size(), scores[1].size());
  for (size_t i = 0; i < scores[0].size(); ++i) {
    EXPECT_EQ(scores[0][i]["metrics"], scores[1][i]["metrics"]);
    for (size_t c = 0; c < scores[0][i]["log_likelihoods"].size(); ++c)
      EXPECT_NEAR(scores[0][i]["log_likelihoods"][c].get<double>(),
                  scores[1][i]["log_likelihoods"][c].get<double>(), 1e-4);
  }
}

TEST(Serve, SeedsAndChoices) {
  Served server({"--model", kMini.string()});
  const Json body = {{"messages", {{{"role", "user"}, {"content", "Tell me something"}}}},
                     {"temperature", 1.0},
                     {"seed", 5},
                     {"n", 3},
                     {"max_tokens", 16}};
  const Json first = server.post("/v1/chat/completions", body),
             again = server.post("/v1/chat/completions", body);
  ASSERT_EQ(first["choices"].size(), 3u);
  EXPECT_EQ(first["choices"], again["choices"]);
  EXPECT_NE(first["choices"][0]["message"], first["choices"][1]["message"]);
}

TEST(Serve, LogprobsAreThoseOfPromptAndAnswer) {
  ScratchDir dir;
  write_small_model(dir / "model");
  Served server({"--model", (dir / "model").string()});
  const Json whole = server.post("/v1/completions", {{"prompt", "What is 2 plus 2?"},
                                                     {"temperature", 0},
                                                     {"max_tokens", 40},
                                                     {"logprobs", 3},
                                                     {"echo", true}});
  const Json& scores = whole["choices"][0]["logprobs"];
  const std::string text = whole["choices"][0]["text"];
  EXPECT_EQ(text.rfind("What is 2 plus 2?", 0), 0u);
  EXPECT_TRUE(scores["token_logprobs"][0].is_null());
  const size_t prompt = whole["usage"]["prompt_tokens"];
  for (size_t i = prompt; i < scores["tokens"].size(); ++i) {  // greedy: the likeliest
    double most = -INFINITY;
    for (const auto& [token, value] : scores["top_logprobs"][i].items())
      most = std::max(most, value.get<double>());
    EXPECT_EQ(scores["token_logprobs"][i].get<double>(), most);
  }
}

TEST(Serve, AnAnswerEndsBeforeItsStop) {
  Served server({"--model", kMini.string()});
  const std::string query = "Tell me about the city of Paris.", answer = server.answer("seed", query);
  ASSERT_GT(answer.size(), 6u);
  const std::string stop = answer.substr(answer.size() / 2, 3);
  const Json body = {
      {"messages", {{{"role", "user"}, {"content", query}}}}, {"temperature", 0}, {"stop", stop}};
  const Json cut = server.post("/v1/chat/completions", body)["choices"][0];
  EXPECT_EQ(cut["message"]["content"], answer.substr(0, answer.find(stop)));
  EXPECT_EQ(cut["finish_reason"], "stop");
  EXPECT_EQ(streamed(server, body).text, answer.substr(0, answer.find(stop)));
}

TEST(Serve, WhatCannotBeAnsweredIsSaid) {
  Served server({"--model", kMini.string()});
  const Json chat = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  Json other = chat, longer = chat;
  other["model"] = "gpt-4";
  EXPECT_EQ(server.post("/v1/chat/completions", other, 404)["error"]["code"], "model_not_found");
  std::string words;
  for (int i = 0; i < 20000; ++i) words += "word ";
  longer["messages"][0]["content"] = words;
  EXPECT_EQ(server.post("/v1/chat/completions", longer, 400)["error"]["code"], "context_length_exceeded");
  const auto malformed = server.client().Post("/v1/chat/completions", "{\"messages\": [", "application/json");
  EXPECT_EQ(malformed->status, 400);
  EXPECT_THAT(malformed->body, HasSubstr("not valid JSON"));
  EXPECT_EQ(
      server.client().Post("/v1/chat/completions", std::string(9 << 20, 'x'), "application/json")->status,
      413);
  EXPECT_EQ(server.post("/v1/completions", {{"prompt", {1 << 30}}}, 400)["error"]["type"],
            "invalid_request_error");
  EXPECT_EQ(server.client().Get("/v1/nothing")->status, 404);
  EXPECT_EQ(server.answer("seed", "Hi"), server.answer("", "Hi"));  // it still answers
}

TEST(Serve, ClientsThatGoOrStallHarmNobody) {
  Served server({"--model", kMini.string()});
  const std::string before = server.answer("seed", "What is 2 plus 2?");
  const Json long_one = {{"messages", {{{"role", "user"}, {"content", "Tell me a long story"}}}},
                         {"temperature", 1.5},
                         {"repetition_penalty", 1.5},
                         {"max_tokens", 100000},
                         {"stream", true}};
  std::vector<Socket> stalled;  // half a header, half a body, and one that never reads
  stalled.emplace_back(server.port());
  EXPECT_TRUE(stalled.back().send("POST /v1/chat/completions HTTP/1.1\r\nHost"));
  stalled.emplace_back(server.port());
  EXPECT_TRUE(stalled.back().send("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{"));
  stalled.emplace_back(server.port());
  EXPECT_TRUE(stalled.back().send(request_text(long_one)));
  {
    const Socket nonsense(server.port());
    (void)nonsense.send("GET / HTTP/1.1\r\nX: " +
                        std::string(10 << 20, 'a'));  // it may be cut off on the way
  }
  Json not_streamed = long_one;
  not_streamed["stream"] = false;
  for (int i = 0; i < 40; ++i) {
    const Socket gone(server.port());
    EXPECT_TRUE(gone.send(request_text(i % 3 ? long_one : not_streamed)));
    if (i % 3 == 1) {
      EXPECT_THAT(gone.receive(200), HasSubstr("200 OK"));
    }
  }
  EXPECT_EQ(server.answer("seed", "What is 2 plus 2?"), before);
  stalled.clear();
  for (int tries = 0; tries < 100 && server.figure("requests_open") > 0; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(server.figure("requests_open"), 0);
  EXPECT_GT(server.figure("requests_cancelled_total"), 0);
  EXPECT_EQ(server.answer("seed", "What is 2 plus 2?"), before);
  const CommandResult result = server.end();
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Serve, TooManyAreToldSo) {
  Served server({"--model", kMini.string(), "--max_waiting", "2"});
  const Json three = {{"prompt", {"a", "b", "c"}}, {"max_tokens", 2}};
  EXPECT_EQ(server.post("/v1/completions", three, 400)["error"]["type"], "invalid_request_error");  // ever
  int status = 0;
  for (int tries = 0; tries < 20 && status != 429; ++tries) {  // a story may have ended by now
    const Socket busy(server.port());
    ASSERT_TRUE(
        busy.send(request_text({{"messages", {{{"role", "user"}, {"content", "Tell me a long story"}}}},
                                {"temperature", 1.5},
                                {"repetition_penalty", 1.5},
                                {"n", 2},
                                {"stream", true}})));
    const std::string begun = busy.receive(200);
    // The story of the last try is still on its way out.
    if (begun.find("429 Too Many") != std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    ASSERT_THAT(begun, HasSubstr("200 OK"));
    const auto reply =
        server.client().Post("/v1/completions", R"({"prompt": "a", "max_tokens": 2})", "application/json");
    ASSERT_TRUE(reply);
    status = reply->status;
    EXPECT_EQ(status == 429, reply->body.find("rate_limit_error") != std::string::npos) << reply->body;
  }
  EXPECT_EQ(status, 429);
}

// Its room is free before it is told that it has ended.
TEST(Serve, WhoHasAnAnswerMayAskAgainAtOnce) {
  Served server({"--model", kMini.string(), "--max_waiting", "2"});
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(server.post("/v1/completions", {{"prompt", {"a", "b"}}, {"max_tokens", 1}})["choices"].size(),
              2u);
}

TEST(Serve, OthersNeedAKey) {
  const CommandResult open =
      run_command({"serve", "--model", kMini.string(), "--host", "0.0.0.0", "--port", "0"});
  EXPECT_EQ(open.exit_code, 2);
  EXPECT_THAT(open.err, HasSubstr("SDFT_API_KEY"));
  ::setenv("SDFT_API_KEY", "secret", 1);
  Served server({"--model", kMini.string()});
  ::unsetenv("SDFT_API_KEY");
  EXPECT_EQ(server.client().Get("/v1/models")->status, 401);
  EXPECT_EQ(server.client().Get("/v1/models", {{"Authorization", "Bearer secreT"}})->status, 401);
  EXPECT_EQ(server.client().Get("/v1/models", {{"Authorization", "Bearer secret"}})->status, 200);
  EXPECT_EQ(server.client().Get("/health")->status, 200);
}

TEST(Serve, NamesOfElsewhereAreNotAnswered) {
  Served server({"--model", kMini.string()});
  EXPECT_EQ(server.client().Get("/v1/models", {{"Host", "evil.example"}})->status, 403);
  EXPECT_EQ(server.client().Get("/v1/models", {{"Host", "127.evil.example"}})->status, 403);
  EXPECT_EQ(server.client().Get("/v1/models", {{"Host", "localhost:80"}})->status, 200);
  EXPECT_EQ(server.client().Get("/v1/models", {{"Host", "[::1]:80"}})->status, 200);
}

// What stays unread of a refused body would be the next request, and get past the refusal.
TEST(Serve, ARefusedBodyIsNoRequest) {
  Served server({"--model", kMini.string()});
  const std::string inner = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const Socket socket(server.port());
  ASSERT_TRUE(socket.send("POST /v1/chat/completions HTTP/1.1\r\nHost: evil.example\r\nContent-Length: " +
                          std::to_string(inner.size()) + "\r\n\r\n" + inner));
  const std::string reply = socket.receive(100000);  // until the connection is idle for too long
  EXPECT_THAT(reply, HasSubstr("403"));
  EXPECT_EQ(reply.find("owned_by"), std::string::npos) << reply;
}

TEST(Serve, LimitsAreOfWhatABodyUnpacksTo) {
  Served server({"--model", kMini.string()});
  httplib::Client client = server.client();
  client.set_compress(true);  // 9 MB of the same letter, packed
  EXPECT_EQ(client.Post("/v1/completions", std::string(9 << 20, ' ') + "{}", "application/json")->status,
            413);
  const auto chunked = server.client().Post(
      "/v1/completions",
      [](size_t offset, httplib::DataSink& sink) {
        const std::string some(1 << 20, ' ');
        if (offset < (size_t{9} << 20)) return sink.write(some.data(), some.size());
        sink.done();
        return true;
      },
      "application/json");
  ASSERT_TRUE(chunked);
  EXPECT_EQ(chunked->status, 413);
  EXPECT_EQ(client.Post("/v1/completions", R"({"prompt": "a", "max_tokens": 1})", "application/json")->status,
            200);
}

TEST(Serve, APortThatIsTakenIsSaid) {
  Served server({"--model", kMini.string()});
  const CommandResult second =
      run_command({"serve", "--model", kMini.string(), "--port", std::to_string(server.port())});
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.err, HasSubstr("cannot be had"));
}

}  // namespace
}  // namespace sdft::testing
