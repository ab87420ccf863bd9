#include "remote/score.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "fake_server.h"

namespace sdft {
namespace {

using sdft::testing::FakeReply;
using sdft::testing::FakeRequest;
using sdft::testing::FakeServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

Endpoint endpoint_at(const std::string& url) {
  Endpoint endpoint;
  endpoint.url = url;
  endpoint.model = "m1";
  endpoint.first_wait_seconds = 0.01;
  return endpoint;
}

// Tokens of a model that splits in front of spaces: the Nth has log-probability -N/8, and is the likeliest
// where N is even. written: how a token is shown.
Json echoed(const std::string& prompt, bool bos,
            const std::function<std::string(const std::string&)>& written) {
  std::vector<std::string> tokens;
  if (bos) tokens.push_back("<s>");
  for (size_t at = 0; at < prompt.size();) {
    size_t end = prompt.find(' ', at + 1);
    if (end == std::string::npos) end = prompt.size();
    tokens.push_back(written(prompt.substr(at, end - at)));
    at = end;
  }
  const size_t count = tokens.size();
  tokens.push_back(" more");
  Json logprobs = {{"tokens", tokens}, {"token_logprobs", Json::array()}, {"top_logprobs", Json::array()}};
  for (size_t i = 0; i < tokens.size(); ++i) {
    const double value = -static_cast<double>(i) / 8;
    logprobs["token_logprobs"].push_back(i == 0 ? Json() : Json(value));
    logprobs["top_logprobs"].push_back(i == 0 ? Json() : Json{{"best", value + static_cast<double>(i % 2)}});
  }
  return {{"choices", {{{"text", prompt + " more"}, {"logprobs", logprobs}}}},
          {"usage", {{"prompt_tokens", count}, {"completion_tokens", 1}}}};
}

std::string plain(const std::string& token) { return token; }

TEST(RemoteScore, SumsTheContinuation) {
  for (bool bos : {false, true}) {
    FakeServer server([&](const FakeRequest& request) {
      EXPECT_EQ(request.path, "/v1/completions");
      const Json json = request.json();
      EXPECT_EQ(json["echo"], true);
      EXPECT_EQ(json["logprobs"], 1);
      return FakeReply{200, to_line(echoed(json["prompt"], bos, plain))};
    });
    std::vector<size_t> seen;
    const auto scores =
        score(endpoint_at(server.url()), {{"a", "one two", " three four"}, {"b", "Größe ist", " ächt"}},
              [&](size_t place, const RemoteScore&) { seen.push_back(place); });
    const double shift = bos ? 1 : 0;
    ASSERT_EQ(scores.size(), 2u);
    EXPECT_EQ(seen.size(), 2u);
    EXPECT_DOUBLE_EQ(scores[0].log_prob, -(2 + 3 + 2 * shift) / 8);
    EXPECT_EQ(scores[0].count, 2);
    EXPECT_EQ(scores[0].greedy, false);
    EXPECT_DOUBLE_EQ(scores[1].log_prob, -(2 + shift) / 8);
    EXPECT_EQ(scores[1].greedy, !bos);
    EXPECT_EQ(server.requests(), 2u);
  }
}

TEST(RemoteScore, ATokenOnTheBorderCounts) {
  FakeServer server([&](const FakeRequest& request) {
    return FakeReply{200, to_line(echoed(request.json()["prompt"], false, plain))};
  });
  const auto scores = score(endpoint_at(server.url()), {{"a", "one tw", "o three"}});
  EXPECT_EQ(scores[0].count, 2);  // " two", " three"
  EXPECT_DOUBLE_EQ(scores[0].log_prob, -3.0 / 8);
}

TEST(RemoteScore, CountsTokensThatAreNotTheText) {
  // As SentencePiece shows them; the context goes along once for both continuations.
  FakeServer server([&](const FakeRequest& request) {
    return FakeReply{200, to_line(echoed(request.json()["prompt"], true, [](std::string token) {
                       return token[0] == ' ' ? "\u2581" + token.substr(1) : token;
                     }))};
  });
  const auto scores =
      score(endpoint_at(server.url()), {{"a", "one two", " three"}, {"b", "one two", " x y"}});
  EXPECT_EQ(server.requests(), 3u);
  EXPECT_EQ(scores[0].count, 1);
  EXPECT_DOUBLE_EQ(scores[0].log_prob, -3.0 / 8);
  EXPECT_EQ(scores[1].count, 2);
  EXPECT_DOUBLE_EQ(scores[1].log_prob, -7.0 / 8);
}

TEST(RemoteScore, ReadsBytes) {
  FakeServer server([&](const FakeRequest&) {
    return FakeReply{
        200, R"({"choices": [{"logprobs": {"tokens": ["a", " ", "bytes:\\xf0\\x9f", "bytes:\\x98\\x80", "!"],
        "token_logprobs": [null, -1, -2, -4, -8]}}]})"};
  });
  const auto scores = score(endpoint_at(server.url()), {{"a", "a ", "😀"}});
  EXPECT_DOUBLE_EQ(scores[0].log_prob, -6);
  EXPECT_EQ(scores[0].count, 2);
  EXPECT_EQ(scores[0].greedy, std::nullopt);
}

TEST(RemoteScore, SaysWhatTheServerLacks) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"choices": [{"text": "x", "logprobs": null}]})", "gives no log-probabilities"},
      {R"({"choices": [{"text": "x", "logprobs": {"content": []}}]})", "gives no log-probabilities"},
      {R"({"choices": [{"logprobs": {"tokens": ["x"], "token_logprobs": [-1]}}], "usage": {"prompt_tokens": 9}})",
       "does not repeat the prompt"},
      {R"({"choices": [{"logprobs": {"tokens": ["q", "r"], "token_logprobs": [null, -1]}}]})", "usage"},
      {R"({"choices": [{"logprobs": {"tokens": ["q", "r"], "token_logprobs": [null]}}]})",
       "of different numbers"},
      {R"({"choices": [{"logprobs": {"tokens": ["q", "r"], "token_logprobs": [null, "x"]}}]})", "no number"}};
  for (const auto& [body, expected] : cases) {
    FakeServer server([&, reply = body](const FakeRequest&) { return FakeReply{200, reply}; });
    try {
      score(endpoint_at(server.url()), {{"a", "one", " two"}});
      ADD_FAILURE() << body;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(server.url() + "/v1/completions"), HasSubstr(expected)));
    }
  }
  EXPECT_THROW(score(endpoint_at("http://127.0.0.1:1"), {{"a", "", "x"}}), Error);
}

TEST(RemoteScore, AFailedItemHasNoScore) {
  FakeServer server([&](const FakeRequest& request) {
    const Json json = request.json();
    if (json["prompt"] == "too long") return FakeReply{400, "{\"message\": \"context length\"}"};
    return FakeReply{200, to_line(echoed(json["prompt"], false, plain))};
  });
  const auto scores =
      score(endpoint_at(server.url()), {{"a", "one", " two"}, {"b", "too", " long"}, {"c", "x", "y"}});
  EXPECT_EQ(scores[0].error, "");
  EXPECT_THAT(scores[1].error, HasSubstr("HTTP 400: context length"));
  EXPECT_EQ(scores[1].count, 0);
  EXPECT_THAT(scores[2].error, HasSubstr("first token"));  // "xy" is one token
}

}  // namespace
}  // namespace sdft
