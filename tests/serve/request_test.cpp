// Bodies of requests: what they become, and what is refused by name.
#include "serve/request.h"

#include <gmock/gmock.h>

namespace sdft::serve {
namespace {
using ::testing::HasSubstr;

Json chat(const Json& more = Json::object()) {
  Json body = {{"model", "seed"}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
  body.update(more);
  return body;
}

template <typename Read>
ApiError refused(Read read, const Json& body) {
  try {
    read(body);
  } catch (const ApiError& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << body.dump();
  return {0, ""};
}

TEST(Requests, WishesAreTakenOver) {
  const Ask ask = read_chat(chat({{"temperature", 0.5},
                                  {"top_p", 0.9},
                                  {"top_k", 20},
                                  {"repetition_penalty", 1.1},
                                  {"seed", 7},
                                  {"max_completion_tokens", 9},
                                  {"stop", {"a", "", "b"}},
                                  {"n", 3},
                                  {"logprobs", true},
                                  {"top_logprobs", 2},
                                  {"stream", true},
                                  {"stream_options", {{"include_usage", true}}},
                                  {"user", "somebody"},
                                  {"presence_penalty", 0.0}}));
  RequestOptions options;
  ask.wishes.apply(&options);
  EXPECT_EQ(options.sampling.temperature, 0.5);
  EXPECT_EQ(options.sampling.top_p, 0.9);
  EXPECT_EQ(options.sampling.top_k, 20);
  EXPECT_EQ(options.sampling.repetition_penalty, 1.1);
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.max_new_tokens, 9);
  EXPECT_EQ(options.constraints.stop_strings, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ask.n, 3);
  EXPECT_EQ(ask.top_logprobs, 2);
  EXPECT_TRUE(ask.stream && ask.include_usage && ask.chat);
  EXPECT_EQ(ask.conversation.instruction, "Hi");
}

TEST(Requests, NullIsNotGiven) {
  const Ask ask = read_chat(chat({{"temperature", nullptr}, {"max_tokens", nullptr}, {"tools", nullptr}}));
  EXPECT_FALSE(ask.wishes.temperature || ask.wishes.max_tokens);
}

TEST(Requests, ContentMayBePartsAndDevelopersAreTheSystem) {
  Json body = chat();
  body["messages"] = {
      {{"role", "developer"}, {"content", "Be brief."}},
      {{"role", "user"},
       {"content", {{{"type", "text"}, {"text", "Hello "}}, {{"type", "text"}, {"text", "you"}}}}}};
  const Ask ask = read_chat(body);
  EXPECT_EQ(ask.conversation.system, "Be brief.");
  EXPECT_EQ(ask.conversation.instruction, "Hello you");
}

TEST(Requests, WhatIsNotSupportedIsRefusedByName) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"presense_penalty", 1}}, "did you mean 'presence_penalty'"},
      {{{"frequency_penalty", 0.5}}, "'frequency_penalty'"},
      {{{"temperature", 3}}, "'temperature': expected a number from 0.0 to 2.0"},
      {{{"temperature", "hot"}}, "'temperature'"},
      {{{"n", 0}}, "'n'"},
      {{{"n", 1.5}}, "'n'"},
      {{{"max_tokens", 0}}, "'max_tokens'"},
      {{{"seed", 1e30}}, "'seed'"},
      {{{"stop", {1}}}, "'stop'"},
      {{{"stream", 1}}, "'stream'"},
      {{{"top_logprobs", 3}}, "needs logprobs"},
      {{{"response_format", {{"type", "json_schema"}}}}, "'response_format'"},
      {{{"tool_choice", "required"}}, "'tool_choice'"},
      {{{"logit_bias", {{"5", 1}}}}, "'logit_bias'"},
      {{{"messages", Json::array()}}, "'messages'"},
      {{{"messages", "Hi"}}, "'messages'"},
      {{{"messages", {{{"role", "user"}}}}}, "content"},
      {{{"messages", {{{"role", "nobody"}, {"content", "x"}}}}}, "nobody"},
      {{{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}},
       "only parts of the type text"},
      {{{"messages", {{{"role", "user"}, {"content", "x"}}, {{"role", "assistant"}, {"content", "y"}}}}},
       "is to be written"},
  };
  for (const auto& [more, what] : cases) {
    const ApiError error = refused(read_chat, chat(more));
    EXPECT_EQ(error.status, 400);
    EXPECT_THAT(error.what(), HasSubstr(what)) << more.dump();
  }
  EXPECT_THAT(refused(read_chat, Json::array()).what(), HasSubstr("expected an object"));
  const Json body = refused(read_chat, chat({{"n", 0}})).body();
  EXPECT_EQ(body["error"]["type"], "invalid_request_error");
  EXPECT_EQ(body["error"]["param"], "n");
}

TEST(Requests, PromptsAreTextsOrIds) {
  EXPECT_EQ(read_completion({{"prompt", "a"}}).texts, std::vector<std::string>{"a"});
  EXPECT_EQ(read_completion({{"prompt", {"a", "b"}}}).texts.size(), 2u);
  EXPECT_EQ(read_completion({{"prompt", {1, 2}}}).token_ids, (std::vector<std::vector<int32_t>>{{1, 2}}));
  EXPECT_EQ(read_completion({{"prompt", {{1}, {2, 3}}}}).token_ids.size(), 2u);
  EXPECT_EQ(read_completion({{"prompt", "a"}, {"logprobs", 1}, {"echo", true}}).top_logprobs, 1);
  for (const Json& prompt : std::vector<Json>{nullptr, 3, Json::array(), {1, "a"}, {-1}, {{1}, {}}})
    EXPECT_THAT(refused(read_completion, Json{{"prompt", prompt}}).what(), HasSubstr("'prompt'"))
        << prompt.dump();
  EXPECT_THAT(refused(read_completion, Json{{"prompt", "a"}, {"echo", true}, {"stream", true}}).what(),
              HasSubstr("'echo'"));
}

TEST(Requests, Embeddings) {
  EXPECT_EQ(read_embedding({{"input", {"a", "b"}}, {"encoding_format", "base64"}}).texts.size(), 2u);
  for (const Json& input : std::vector<Json>{nullptr, Json::array(), "", {"a", ""}, {1}})
    EXPECT_THAT(refused(read_embedding, Json{{"input", input}}).what(), HasSubstr("'input'"));
}

}  // namespace
}  // namespace sdft::serve
