// A server that does what llama-server does, and ones that do something else.
#include "gguf/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "gguf/export.h"
#include "gguf/vocabulary.h"
#include "remote/fake_server.h"
#include "testing.h"

namespace sdft::gguf {
namespace {

using sdft::testing::FakeReply;
using sdft::testing::FakeRequest;
using sdft::testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::StartsWith;
const std::filesystem::path kMini = std::filesystem::path(SDFT_SOURCE_DIR) / "assets" / "mini-seed";

class Verify : public ::testing::Test {
 protected:
  Verify() : bundle_(kMini) { load_weights(bundle_, {}); }

  // As llama-server answers.
  Json answer(const FakeRequest& request) {
    const Json body = request.json();
    if (request.path == "/apply-template") {
      RenderOptions render;
      render.add_generation_prompt = true;
      return {{"prompt", bundle_.chat_template.render(body["messages"], render)}};
    }
    if (request.path == "/tokenize")
      return {{"tokens", bundle_.tokenizer.encode(
                             body["content"].get<std::string>(),
                             {body["add_special"].get<bool>() && !body["parse_special"].get<bool>(),
                              body["parse_special"].get<bool>()})}};
    GenerateOptions options;
    options.sampling.temperature = 0;
    options.stop_ids = generate_options(bundle_).stop_ids;
    options.max_new_tokens = body["n_predict"];
    const auto done =
        generate(bundle_.with_adapter(), {{"x", body["prompt"].get<std::vector<int32_t>>()}}, options);
    return {{"tokens", done[0].written()}};
  }
  std::vector<Comparison> compare(const std::function<void(const FakeRequest&, Json*)>& change) {
    FakeServer server([&](const FakeRequest& request) {
      Json reply = answer(request);
      change(request, &reply);
      return FakeReply{200, to_line(reply)};
    });
    std::vector<Comparison> all;
    VerifyOptions options;
    options.url = server.url() + "/";
    options.max_new_tokens = 6;
    verify(bundle_, options, [&](const Comparison& c) { all.push_back(c); });
    return all;
  }
  ModelBundle bundle_;
};

TEST_F(Verify, TheSame) {
  const std::vector<Comparison> all = compare([](const FakeRequest&, Json*) {});
  ASSERT_EQ(all.size(), 10u);
  for (const Comparison& c : all) EXPECT_TRUE(c.same()) << c.question << c.prompt << c.tokens << c.answer;
}

TEST_F(Verify, SaysWhereTheyPart) {
  for (const Comparison& c : compare([](const FakeRequest&request, Json*reply) {
         if (request.path == "/apply-template")
           (*reply)["prompt"] = (*reply)["prompt"].get<std::string>() + "\n";
       })) {
    EXPECT_THAT(c.prompt, HasSubstr("here the end, there \"\\n\""));
    EXPECT_THAT(c.tokens, HasSubstr("here the end, there"));
    EXPECT_EQ(c.answer, "");
  }
  for (const Comparison& c : compare([](const FakeRequest&request, Json*reply) {
         if (request.path == "/completion") (*reply)["tokens"][0] = 7;
       })) {
    EXPECT_EQ(c.prompt + c.tokens, "");
    EXPECT_THAT(c.answer,
                ::testing::AllOf(StartsWith("token 0: here "), HasSubstr("there 7 "), HasSubstr("nats")));
  }
  int plain = 0;
  for (const Comparison& c : compare([](const FakeRequest&request, Json*reply) {
         if (request.path == "/tokenize" && !request.json()["parse_special"].get<bool>())
           (*reply)["tokens"].insert((*reply)["tokens"].begin(), 1);
       }))
    plain += c.tokens.rfind("message \"", 0) == 0;
  EXPECT_EQ(plain, 10);
}

TEST_F(Verify, OtherServersAreNamed) {
  const auto refusal = [&](const FakeReply& reply) -> std::string {
    FakeServer server([&](const FakeRequest&) { return reply; });
    try {
      verify(bundle_, {server.url()}, [](const Comparison&) {});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("/apply-template"));
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal({404, "no such page"}),
              ::testing::AllOf(HasSubstr("HTTP 404"), HasSubstr("no such page")));
  EXPECT_THAT(refusal({503, "Loading model"}), HasSubstr("Loading model"));
  EXPECT_THAT(refusal({200, "<html>"}), HasSubstr("/apply-template"));
  EXPECT_THAT(refusal({200, "{\"prompt\": 7}"}), HasSubstr("prompt"));
  EXPECT_THAT(refusal({200, "", "", FakeReply::kNothing}), HasSubstr("llama-server"));
  EXPECT_THROW(verify(bundle_, {"localhost"}, [](const Comparison&) {}), Error);
}

TEST(GgufVocabulary, EndsAndTemplate) {
  const ModelBundle bundle(kMini);
  const GgufMetadata metadata = vocabulary(bundle);
  Json all = Json::object();
  for (const auto& [key, value] : metadata) all[key] = value;
  EXPECT_EQ(all["tokenizer.ggml.model"], "gpt2");
  EXPECT_EQ(all["tokenizer.ggml.tokens"].size(), static_cast<size_t>(bundle.config.vocab_size));
  EXPECT_EQ(all["tokenizer.ggml.eos_token_id"], *bundle.tokenizer.eos_id());
  EXPECT_EQ(all["tokenizer.chat_template"], bundle.chat_template.source());
  EXPECT_EQ(stop_texts(bundle).front(), bundle.tokenizer.token_of(*bundle.tokenizer.eos_id()));
}

}  // namespace
}  // namespace sdft::gguf
