// Models behind a server through the real executable: asked, judged, failed and asked again.
#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/bad_input.h"
#include "cli/run_command.h"
#include "cli/small_model.h"
#include "remote/fake_server.h"
#include "testing.h"

namespace sdft::testing {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kHere = fs::path(SDFT_SOURCE_DIR) / "tests" / "task";

class EndpointCommand : public ::testing::Test {
 protected:
  CommandResult eval(const FakeServer& server, const std::string& tasks,
                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"eval",
                                     "--endpoint",
                                     server.url(),
                                     "--endpoint_model",
                                     "some/model",
                                     "--tasks",
                                     tasks,
                                     "--include_path",
                                     (kHere / "tasks").string(),
                                     "--data_dir",
                                     (kHere / "data").string(),
                                     "--output_dir",
                                     (dir_ / "out").string()};
    args.insert(args.end(), more.begin(), more.end());
    return run_command(args);
  }
  std::string result(const std::string& task, const std::string& file) const {
    return read_text(dir_ / "out" / "eval" / "some_model" / task / file);
  }
  ScratchDir dir_;
};

TEST_F(EndpointCommand, WhatFailsIsUnansweredAndAskedAgain) {
  std::atomic<bool> whole{false};
  FakeServer server([&](const FakeRequest& request) {
    EXPECT_EQ(request.path, "/v1/chat/completions");
    const std::string asked = request.json()["messages"].back()["content"];
    if (asked.find("12 eggs") != std::string::npos && !whole)
      return FakeReply{400, "{\"error\": \"no eggs\"}"};
    return chat_reply(asked.find("3 apples") != std::string::npos ? "It is\n#### 7" : "#### 60");
  });
  const std::vector<std::string> chat = {"--apply_chat_template", "--num_fewshot", "0"};
  const CommandResult first = eval(server, "gsm8k", chat);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out,
              AllOf(HasSubstr("some_model"), HasSubstr("1 unanswered (endpoint_failed)"), HasSubstr("50.0")));
  EXPECT_THAT(first.err, HasSubstr("1 prompts have no answer"));
  EXPECT_EQ(server.requests(), 3u);
  whole = true;
  const CommandResult second = eval(server, "gsm8k", chat);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("66.7"));
  EXPECT_EQ(server.requests(), 4u);
  eval(server, "gsm8k", chat);
  EXPECT_EQ(server.requests(), 4u);
}

// The seed behind a server: what it does not rewrite stays as it is and is asked again.
class RewritingEndpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    SmallModel roomy;
    roomy.context = 1024;
    write_small_model(dir_ / "model", roomy);
    write_text(dir_ / "train.jsonl", small_dataset(5));
  }
  CommandResult distill(const std::string& url, const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"distill",
                                     "model_name_or_path=" + (dir_ / "model").string(),
                                     "dataset=" + (dir_ / "train.jsonl").string(),
                                     "output_dir=" + (dir_ / "out").string(),
                                     "threads=1",
                                     "max_new_tokens=1000",  // more than the context has room for
                                     "generation_endpoint=" + url,
                                     "generation_endpoint_model=some/model"};
    args.insert(args.end(), more.begin(), more.end());
    return run_command(args);
  }
  std::string distilled() const { return read_text(dir_ / "out" / "distill" / "distilled.jsonl"); }
  ScratchDir dir_;
};

FakeReply text_reply(const std::string& text) {
  const Json json = {{"choices", {{{"text", text}, {"finish_reason", "stop"}}}},
                     {"usage", {{"completion_tokens", 3}}}};
  return {200, json.dump()};
}

TEST_F(RewritingEndpoint, WhatFailsKeepsItsOriginalAndIsAskedAgain) {
  std::atomic<bool> whole{false};
  FakeServer server([&](const FakeRequest& request) {
    const Json body = request.json();
    EXPECT_EQ(request.path, "/v1/completions");
    EXPECT_EQ(body["model"], "some/model");
    EXPECT_EQ(body["temperature"], 0.95);
    EXPECT_TRUE(body["seed"].is_number());
    EXPECT_EQ(body["prompt"].size() + body["max_tokens"].get<size_t>(), 1024u);  // the model's context
    if (request.number == 2 && !whole) return FakeReply{400, R"({"error": "not this one"})"};
    return text_reply("In other words, it is so.");
  });
  const CommandResult first = distill(server.url(), {"endpoint_concurrency=1"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err,
              AllOf(HasSubstr("1 rewrites have no answer of " + server.url()), HasSubstr("5 prompts of")));
  EXPECT_THAT(distilled(), HasSubstr("endpoint_failed"));
  EXPECT_EQ(server.requests(), 5u);
  whole = true;
  const CommandResult second = distill(server.url());
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(server.requests(), 6u);
  EXPECT_THAT(distilled(), Not(HasSubstr("endpoint_failed")));
  EXPECT_EQ(distill("http://127.0.0.1:1").exit_code,
            0);  // done: the address is not asked, nor does it matter
}

TEST_F(RewritingEndpoint, AServerThatIsNotThereEndsTheRunAndNothingIsLost) {
  FakeServer server([](const FakeRequest& request) {
    return request.number < 2 ? text_reply("It is so.") : FakeReply{401, "who are you"};
  });
  expect_input_error(distill(server.url(), {"endpoint_concurrency=1"}), {server.url(), "401"});
  FakeServer other([](const FakeRequest&) { return text_reply("It is so."); });
  const CommandResult again = distill(other.url());
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(other.requests(), 3u);
}

TEST_F(RewritingEndpoint, WhatCannotBeIsSaidBeforeAnythingIsAsked) {
  FakeServer server([](const FakeRequest&) { return text_reply("x"); });
  const CommandResult nameless = distill(server.url(), {"generation_endpoint_model="});
  EXPECT_EQ(nameless.exit_code, 2);
  EXPECT_THAT(nameless.err, HasSubstr("generation_endpoint_model"));
  const CommandResult address = distill("localhost:8000");
  EXPECT_EQ(address.exit_code, 2);
  EXPECT_THAT(address.err, HasSubstr("localhost:8000"));
  const CommandResult trained = distill(
      server.url(),
      {"variants=[{name: a, method: self_distillation}, {name: b, method: self_distillation, after: a}]"});
  EXPECT_EQ(trained.exit_code, 2);
  EXPECT_THAT(trained.err, HasSubstr("rewriter: seed"));
  EXPECT_EQ(server.requests(), 0u);
}

TEST_F(EndpointCommand, LikelihoodsOfAServerThatEchoes) {
  // One token a character, each less likely the further it is; choices that are short win.
  FakeServer server([](const FakeRequest& request) {
    const std::string prompt = request.json()["prompt"];
    Json tokens = Json::array(), values = Json::array(), candidates = Json::array();
    for (const char c : prompt) {
      tokens.push_back(std::string(1, c));
      values.push_back(values.empty() ? Json() : Json(-1.0));
      candidates.push_back({{std::string(1, c), -1.0}});
    }
    const Json reply = {
        {"choices",
         {{{"text", prompt},
           {"finish_reason", "length"},
           {"logprobs", {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", candidates}}}}}}};
    return FakeReply{200, reply.dump()};
  });
  const CommandResult command = eval(server, "piqa");
  ASSERT_EQ(command.exit_code, 0) << command.err;
  EXPECT_THAT(result("piqa", "items.jsonl"), HasSubstr("\"log_likelihoods\":[-22.0,-28.0]"));
}

TEST_F(EndpointCommand, WhatAServerCannotDoIsSaidByName) {
  FakeServer server([](const FakeRequest&) {
    return FakeReply{200, R"({"choices": [{"text": "x", "finish_reason": "stop"}]})"};
  });
  const CommandResult paper = eval(server, "multiarith,perplexity", {"--data_dir", (dir_ / "none").string()});
  EXPECT_NE(paper.exit_code, 0);
  EXPECT_EQ(server.requests(), 0u);
  const CommandResult template_needed = eval(server, "perplexity");
  EXPECT_EQ(template_needed.exit_code, 2);
  EXPECT_THAT(template_needed.err, HasSubstr("perplexity"));
  EXPECT_EQ(server.requests(), 0u);
  expect_input_error(eval(server, "piqa"), {server.url(), "logprobs"});
}

TEST_F(EndpointCommand, AServerOfNoUseIsSaidAtTheFirstItem) {
  FakeServer server([](const FakeRequest&) { return FakeReply{401, "who are you"}; });
  expect_input_error(eval(server, "gsm8k"), {server.url(), "401"});
  EXPECT_EQ(server.requests(), 1u);
  FakeServer nonsense([](const FakeRequest&) { return FakeReply{200, "<html>"}; });
  expect_input_error(eval(nonsense, "gsm8k", {"--fresh"}), {nonsense.url(), "<html>"});
}

TEST_F(EndpointCommand, AJudgePrefers) {
  write_text(dir_ / "new.json", R"([{"instruction": "i", "output": "new one", "generator": "tuned"},
                                    {"instruction": "j", "output": "other", "generator": "tuned"}])");
  write_text(dir_ / "old.json",
             R"([{"instruction": "i", "output": "old one"}, {"instruction": "j", "output": "same"}])");
  // Whoever judges likes what is new, wherever it stands, and else whatever comes first.
  FakeServer server([](const FakeRequest& request) {
    const std::string asked = request.json()["messages"].back()["content"];
    const size_t fresh = asked.find("new one"), old = asked.find("old one");
    return chat_reply(fresh == std::string::npos || fresh < old ? "A" : "B");
  });
  const CommandResult command = run_command(
      {"judge", "--outputs", (dir_ / "new.json").string(), "--baseline", (dir_ / "old.json").string(),
       "--endpoint", server.url(), "--model", "judge", "--output_dir", (dir_ / "verdicts").string()});
  ASSERT_EQ(command.exit_code, 0) << command.err;
  EXPECT_EQ(server.requests(), 4u);
  EXPECT_THAT(command.out, AllOf(HasSubstr("tuned: win rate 75.00"), HasSubstr("1 wins, 0 losses, 1 ties")));
  EXPECT_TRUE(fs::exists(dir_ / "verdicts" / "annotations.json"));
}

}  // namespace
}  // namespace sdft::testing
