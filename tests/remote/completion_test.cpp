#include "remote/completion.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "fake_server.h"
#include "testing.h"

namespace sdft {
namespace {

using sdft::testing::chat_reply;
using sdft::testing::FakeReply;
using sdft::testing::FakeRequest;
using sdft::testing::FakeServer;
using sdft::testing::ScratchDir;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Endpoint endpoint_at(const std::string& url) {
  Endpoint endpoint;
  endpoint.url = url;
  endpoint.model = "m1";
  endpoint.first_wait_seconds = 0.01;
  endpoint.try_seconds = 5;
  return endpoint;
}

std::vector<RemoteRequest> questions(size_t n) {
  std::vector<RemoteRequest> requests;
  for (size_t i = 0; i < n; ++i)
    requests.push_back({"q" + std::to_string(i), {{"user", "say " + std::to_string(i)}}, ""});
  return requests;
}

std::string question_of(const FakeRequest& request) { return request.json()["messages"][0]["content"]; }

std::map<std::string, Answer> ask(const Endpoint& endpoint, const std::vector<RemoteRequest>& requests,
                                  const RemoteOptions& options = {}) {
  std::map<std::string, Answer> answers;
  complete(endpoint, requests, options, [&](const RemoteCompletion& completion) {
    EXPECT_TRUE(answers.emplace(completion.answer.id, completion.answer).second);
  });
  EXPECT_EQ(answers.size(), requests.size());
  return answers;
}

std::string fault_of(const Endpoint& endpoint, size_t n = 1) {
  try {
    ask(endpoint, questions(n));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Completion, AsksAndReadsAChat) {
  FakeServer server([](const FakeRequest& request) {
    EXPECT_EQ(request.path, "/v1/chat/completions");
    EXPECT_THAT(request.head, HasSubstr("Authorization: Bearer sk-1"));
    const Json expected = Json::parse(R"({"model": "m1", "messages": [{"role": "system", "content": "S"},
        {"role": "user", "content": "Ü"}], "temperature": 0.5, "top_p": 0.9, "top_k": 7, "stop": ["\n\n"],
        "seed": 3, "logprobs": true, "top_logprobs": 2, "max_completion_tokens": 9})");
    EXPECT_EQ(nlohmann::json(request.json()), nlohmann::json(expected));
    return FakeReply{200,
                     R"({"choices": [{"message": {"content": "Ja"}, "finish_reason": "length", "logprobs":
        {"content": [{"top_logprobs": [{"token": "Ja", "logprob": -0.25}, {"token": "No", "logprob": -2}]}]}}],
        "usage": {"completion_tokens": 1}})"};
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.key = "sk-1";
  endpoint.fields = {{"max_tokens", nullptr}, {"max_completion_tokens", 9}};
  RemoteOptions options;
  options.temperature = 0.5;
  options.top_p = 0.9;
  options.top_k = 7;
  options.stop = {"\n\n"};
  options.seed = 3;
  options.top_logprobs = 2;
  std::vector<RemoteCompletion> got;
  complete(endpoint, {{"a", {{"system", "S"}, {"user", "Ü"}}, ""}}, options,
           [&](RemoteCompletion completion) { got.push_back(std::move(completion)); });
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].answer.text, "Ja");
  EXPECT_EQ(got[0].answer.finish, "length");
  EXPECT_EQ(got[0].answer.tokens, 1);
  ASSERT_EQ(got[0].first_token.size(), 2u);
  EXPECT_EQ(got[0].first_token[1], (std::pair<std::string, double>("No", -2)));
}

TEST(Completion, GoesOnWithAPlainText) {
  FakeServer server([](const FakeRequest& request) {
    EXPECT_EQ(request.path, "/base/v7/completions");
    EXPECT_EQ(request.json()["prompt"], "1 + 1 =");
    return FakeReply{200, R"({"choices": [{"text": " 2", "finish_reason": "stop"}]})"};
  });
  for (const char* path : {"/base/v7", "/base/v7/", "/base/v7/completions", "/base/v7/chat/completions"})
    EXPECT_EQ(ask(endpoint_at(server.url() + path), {{"a", {}, "1 + 1 ="}}).at("a").text, " 2");
}

TEST(Completion, TriesAgain) {
  // Each of them once, then a right answer.
  const std::vector<FakeReply> bad = {{429, "slow down"},
                                      {500, "oops"},
                                      {503, ""},
                                      {200, chat_reply("x").body, "", FakeReply::kHalf},
                                      {200, "", "", FakeReply::kNothing},
                                      {200, "<html>"},
                                      {200, "{\"choices\": []}"},
                                      {408, ""}};
  for (const FakeReply& first : bad) {
    FakeServer server(
        [&](const FakeRequest& request) { return request.number == 0 ? first : chat_reply("ok"); });
    EXPECT_EQ(ask(endpoint_at(server.url()), questions(1)).at("q0").text, "ok") << first.status << first.body;
    EXPECT_EQ(server.requests(), 2u) << first.status << first.body;
  }
}

TEST(Completion, WaitsLongerEachTimeAndAsTheServerSays) {
  FakeServer server([](const FakeRequest& request) {
    if (request.number == 0) return FakeReply{429, "{}", "Retry-After: 1\r\n"};
    return chat_reply("ok");
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 1;
  auto start = std::chrono::steady_clock::now();
  ask(endpoint, questions(3));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(990));
  EXPECT_EQ(server.requests(), 4u);

  FakeServer failing([](const FakeRequest&) { return FakeReply{500, "broken"}; });
  endpoint.url = failing.url();
  endpoint.first_wait_seconds = 0.1;
  endpoint.tries = 4;
  start = std::chrono::steady_clock::now();
  EXPECT_THAT(fault_of(endpoint), AllOf(HasSubstr(failing.url() + "/v1/chat/completions"),
                                        HasSubstr("HTTP 500: broken after 4 tries")));
  // 0.1 + 0.2 + 0.4, of which up to a half is left out.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(350));
  EXPECT_EQ(failing.requests(), 4u);
}

TEST(Completion, TimeIsLimited) {
  FakeServer server([](const FakeRequest&) { return FakeReply{200, "{}", "", FakeReply::kWhole, 30}; });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.try_seconds = 0.2;
  endpoint.tries = 2;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(fault_of(endpoint), AllOf(HasSubstr("timed out"), HasSubstr("after 2 tries")));
  endpoint.tries = 100;
  endpoint.total_seconds = 0.5;
  EXPECT_THAT(fault_of(endpoint), HasSubstr("timed out"));
  // A server that asks for more patience than there is.
  FakeServer busy([](const FakeRequest&) { return FakeReply{429, "{}", "Retry-After: 3600\r\n"}; });
  endpoint.url = busy.url();
  endpoint.total_seconds = 10;
  EXPECT_THAT(fault_of(endpoint), HasSubstr("HTTP 429"));
  EXPECT_EQ(busy.requests(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Completion, SaysWhereAServerIsOfNoUse) {
  const std::vector<std::pair<FakeReply, std::string>> cases = {
      {{200, "<html>hello</html>"}, "a reply that is no JSON: <html>hello"},
      {{200, ""}, "an empty reply"},
      {{200, "[1, 2]"}, "has no choices"},
      {{200, "{\"choices\": 7}"}, "has no choices"},
      {{200, "{\"choices\": []}"}, "has no choice"},
      {{200, "{\"choices\": [{\"message\": {\"content\": 5}}]}"}, "content is no text"},
      {{200, "{\"choices\": [{\"message\": {\"content\": null}}]}"}, "without a text"},
      {{401, "{\"error\": {\"message\": \"bad key sk-secret\"}}"}, "HTTP 401: bad key ***"},
      {{404, "{\"detail\": \"no such model\"}"}, "HTTP 404: no such model"},
      {{302, ""}, "HTTP 302"}};
  for (const auto& [reply, expected] : cases) {
    FakeServer server([&, bad = reply](const FakeRequest&) { return bad; });
    Endpoint endpoint = endpoint_at(server.url());
    endpoint.key = "sk-secret";
    endpoint.concurrency = 1;
    EXPECT_THAT(fault_of(endpoint, 5), AllOf(HasSubstr(server.url() + "/v1/chat/completions"),
                                             HasSubstr(expected), Not(HasSubstr("sk-secret"))));
    EXPECT_LE(server.requests(), 2u) << reply.body;
  }
  Endpoint nobody = endpoint_at("http://127.0.0.1:1");
  EXPECT_THAT(fault_of(nobody), AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("onnect")));
}

TEST(Completion, AFailedRequestIsNoAnswer) {
  FakeServer server([](const FakeRequest& request) {
    const std::string question = question_of(request);
    if (question == "say 1") return FakeReply{400, R"({"error": {"message": "what is that?"}})"};
    if (question == "say 2")
      return FakeReply{400, R"({"error": {"message": "too much", "code": "context_length_exceeded"}})"};
    if (question == "say 3") return FakeReply{500, "never"};
    if (question == "say 4")
      return FakeReply{200,
                       R"({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]})"};
    return chat_reply("fine");
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 1;
  endpoint.tries = 2;
  const auto answers = ask(endpoint, questions(6));
  EXPECT_EQ(answers.at("q0").text, "fine");
  EXPECT_EQ(answers.at("q1").finish, kFailed);
  EXPECT_EQ(answers.at("q1").error, "HTTP 400: what is that?");
  EXPECT_EQ(answers.at("q2").finish, "prompt_too_long");
  EXPECT_EQ(answers.at("q3").error, "HTTP 500: never after 2 tries");
  EXPECT_EQ(answers.at("q4").error, "the server's content filter");
  EXPECT_EQ(answers.at("q5").finish, "stop");
}

TEST(Completion, EndsWhereTheServerHasGone) {
  FakeServer server([](const FakeRequest& request) {
    return request.number < 3 ? chat_reply("fine") : FakeReply{400, "no more"};
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 1;
  EXPECT_THAT(fault_of(endpoint, 40), HasSubstr("10 requests have failed in a row"));
  EXPECT_EQ(server.requests(), 13u);
}

TEST(Completion, NotMoreAtOnceThanWanted) {
  FakeServer server([](const FakeRequest& request) {
    FakeReply reply = chat_reply(question_of(request));
    reply.delay = 0.05;
    return reply;
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 3;
  const auto answers = ask(endpoint, questions(20));
  EXPECT_EQ(server.most_at_once(), 3);
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ(answers.at("q" + std::to_string(i)).text, "say " + std::to_string(i));
}

TEST(Completion, TakesChunksAndLargeReplies) {
  const std::string large(10 << 20, 'x');
  FakeReply pieces = chat_reply("in pieces");
  pieces.way = FakeReply::kChunked;
  const FakeReply whole = chat_reply(large);
  FakeServer server([&](const FakeRequest& request) { return request.number == 0 ? pieces : whole; });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 1;
  endpoint.try_seconds = 60;
  const auto answers = ask(endpoint, questions(2));
  EXPECT_EQ(answers.at("q0").text, "in pieces");
  EXPECT_EQ(answers.at("q1").text, large);
}

TEST(Completion, ARedirectGetsTheQuestionAndNotTheKey) {
  std::string head, body;
  FakeServer target([&](const FakeRequest& request) {
    head = request.head;
    body = request.body;
    return chat_reply("here");
  });
  FakeServer server([&](const FakeRequest&) {
    return FakeReply{301, "", "Location: " + target.url() + "/elsewhere\r\n"};
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.key = "sk-secret";
  EXPECT_EQ(ask(endpoint, questions(1)).at("q0").text, "here");
  EXPECT_THAT(head, AllOf(HasSubstr("POST /elsewhere"), Not(HasSubstr("sk-secret"))));
  EXPECT_THAT(body, HasSubstr("say 0"));
  FakeServer circle([](const FakeRequest&) { return FakeReply{307, "", "Location: /again\r\n"}; });
  EXPECT_THAT(fault_of(endpoint_at(circle.url())), HasSubstr("redirect"));
}

TEST(Completion, CertificatesAreVerified) {
  const sdft::testing::Certificate certificate;
  FakeServer server([](const FakeRequest&) { return chat_reply("secret"); }, &certificate);
  Endpoint endpoint = endpoint_at(server.url());
  EXPECT_THAT(fault_of(endpoint), HasSubstr("ertificate"));
  EXPECT_EQ(server.requests(), 0u);
  const ScratchDir dir;
  write_file_atomic(dir / "ca.pem", certificate.pem());
  endpoint.ca_file = dir / "ca.pem";
  EXPECT_EQ(ask(endpoint, questions(2)).at("q1").text, "secret");
  endpoint.url = "https://localhost" + server.url().substr(server.url().rfind(':'));
  EXPECT_THAT(fault_of(endpoint), HasSubstr("name"));  // the certificate is another host's
}

TEST(Completion, BadSettingsAreNamed) {
  const auto fault = [](Endpoint endpoint) {
    try {
      check_endpoint(endpoint);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(fault(endpoint_at("http://a")), "no error");
  EXPECT_THAT(fault(endpoint_at("localhost:8000")), HasSubstr("expected http://HOST"));
  EXPECT_THAT(fault(endpoint_at("https://")), HasSubstr("no address"));
  EXPECT_THAT(fault(endpoint_at("https://me:pw@host/v1")),
              AllOf(HasSubstr("password"), Not(HasSubstr("pw"))));
  EXPECT_THAT(fault(endpoint_at("http://host/v1?x=1")), HasSubstr("query"));
  EXPECT_THAT(fault(endpoint_at("http://ho st")), HasSubstr("characters"));
  Endpoint endpoint = endpoint_at("ftp://a");
  endpoint.model = "";
  endpoint.key = "se cret";
  endpoint.concurrency = 0;
  EXPECT_THAT(fault(endpoint), AllOf(HasSubstr("4 problems"), HasSubstr("model"), HasSubstr("concurrency"),
                                     Not(HasSubstr("se cret"))));
}

TEST(AnswerAll, GoesOnWhereItWas) {
  const ScratchDir dir;
  std::set<std::string> asked;
  bool broken = true;
  FakeServer server([&](const FakeRequest& request) {
    const std::string question = question_of(request);
    asked.insert(question);
    if (question == "say 3" && broken) return FakeReply{401, "{}"};
    return chat_reply("re: " + question);
  });
  Endpoint endpoint = endpoint_at(server.url());
  endpoint.concurrency = 1;
  const auto requests = questions(5);
  EXPECT_THROW(answer_all(endpoint, requests, {}, dir / "answers.jsonl", {}), Error);
  EXPECT_EQ(read_answers(dir / "answers.jsonl.part").size(), 3u);
  EXPECT_FALSE(std::filesystem::exists(dir / "answers.jsonl"));

  broken = false;
  asked.clear();
  std::vector<size_t> progress;
  const auto answers = answer_all(endpoint, requests, {}, dir / "answers.jsonl",
                                  [&](size_t done) { progress.push_back(done); });
  EXPECT_EQ(asked, (std::set<std::string>{"say 3", "say 4"}));
  EXPECT_EQ(progress, (std::vector<size_t>{3, 4, 5}));
  EXPECT_EQ(answers[1].text, "re: say 1");
  EXPECT_FALSE(std::filesystem::exists(dir / "answers.jsonl.part"));
  EXPECT_THAT(
      read_text(dir / "answers.jsonl"),
      StartsWith("{\"id\":\"q0\",\"text\":\"re: say 0\",\"finish\":\"stop\",\"tokens\":9}\n{\"id\":\"q1\""));

  // All there: nobody is asked.
  const size_t before = server.requests();
  EXPECT_EQ(answer_all(endpoint, requests, {}, dir / "answers.jsonl", {}).size(), 5u);
  EXPECT_EQ(server.requests(), before);
  EXPECT_THROW(answer_all(endpoint, questions(4), {}, dir / "answers.jsonl", {}), Error);
}

TEST(AnswerAll, AsksAgainWhatFailed) {
  const ScratchDir dir;
  bool refuse = true;
  FakeServer server([&](const FakeRequest& request) {
    if (question_of(request) == "say 1" && refuse) return FakeReply{422, "not now"};
    return chat_reply("yes");
  });
  const Endpoint endpoint = endpoint_at(server.url());
  auto answers = answer_all(endpoint, questions(3), {}, dir / "a.jsonl", {});
  EXPECT_EQ(answers[1].finish, kFailed);
  EXPECT_THAT(read_text(dir / "a.jsonl"), HasSubstr("\"error\":\"HTTP 422: not now\""));
  refuse = false;
  const size_t before = server.requests();
  answers = answer_all(endpoint, questions(3), {}, dir / "a.jsonl", {});
  EXPECT_EQ(server.requests(), before + 1);
  EXPECT_EQ(answers[1].text, "yes");
  EXPECT_THAT(read_text(dir / "a.jsonl"), Not(HasSubstr("error")));
}

TEST(AnswerAll, IsInterruptedWithinASecond) {
  const ScratchDir dir;
  FakeServer server([](const FakeRequest& request) {
    FakeReply reply = chat_reply("x");
    if (question_of(request) != "say 0") reply.delay = 30;
    return reply;
  });
  std::thread interrupter([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    request_interrupt();
  });
  const auto start = std::chrono::steady_clock::now();
  try {
    answer_all(endpoint_at(server.url()), questions(4), {}, dir / "a.jsonl", {});
    ADD_FAILURE() << "not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInterrupted);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1300));
  interrupter.join();
  forget_interrupt();
  EXPECT_EQ(read_answers(dir / "a.jsonl.part").size(), 1u);
}

}  // namespace
}  // namespace sdft
