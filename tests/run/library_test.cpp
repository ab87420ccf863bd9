// The public API, by itself: this file includes nothing else of sdft but helpers of tests.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "sdft/sdft.h"
#include "testing.h"

namespace sdft::api {
namespace {
using ::testing::HasSubstr;

const std::filesystem::path kSeed = std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed";

TEST(Library, AnswersAndScores) {
  const ChatModel model(kSeed, {"", "cpu", "f32", 0});
  AnswerOptions options;
  options.max_new_tokens = 64;
  const Conversation question = {{"user", "Reverse the word apple."}};
  const auto answers = model.answer({question, {{"system", "Be kind."}, {"user", "Hello!"}}}, options);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].finish, "stop");
  EXPECT_EQ(model.answer({question}, options)[0].text, answers[0].text) << "alone as in company";
  Conversation own = question, other = question;
  own.push_back({"assistant", answers[0].text});
  other.push_back({"assistant", "Bananas are blue, and so am I."});
  const auto scores = model.score({own, other});
  EXPECT_GT(scores[0].tokens, 0);
  EXPECT_GT(scores[0].log_prob / static_cast<double>(scores[0].tokens),
            scores[1].log_prob / static_cast<double>(scores[1].tokens));
}

// A later turn's score does not count the answers before it.
TEST(Library, OnlyTheLastAnswerCounts) {
  const ChatModel model(kSeed, {"", "cpu", "f32", 0});
  const Conversation first = {{"user", "Hello!"}, {"assistant", "Hello."}};
  Conversation second = first;
  second.push_back({"user", "Hello!"});
  second.push_back({"assistant", "Hello."});
  const auto scores = model.score({first, second});
  EXPECT_EQ(scores[0].tokens, scores[1].tokens);
  EXPECT_NE(scores[0].log_prob, scores[1].log_prob);
}

TEST(Library, MisuseIsAUsageError) {
  const ChatModel model(kSeed, {"", "cpu", "f32", 0});
  const std::vector<std::pair<Conversation, const char*>> bad = {
      {{}, "does not end with"},
      {{{"assistant", "Hi"}}, "does not end with"},
      {{{"user", "a"}, {"user", "b"}}, "message 1 is of role 'user', expected 'assistant'"},
      {{{"tool", "a"}, {"user", "b"}}, "'tool'"}};
  for (const auto& [conversation, message] : bad) {
    try {
      model.answer({conversation});
      ADD_FAILURE() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
  EXPECT_THROW(ChatModel("/nowhere"), Error);
  EXPECT_THROW(run("", {"no_such_key=1"}), Error);
}

TEST(Library, IsInterruptedUntilToldOtherwise) {
  const ChatModel model(kSeed, {"", "cpu", "f32", 0});
  const Conversation question = {{"user", "Hello!"}};
  interrupt();
  try {
    model.answer({question});
    ADD_FAILURE() << "it answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInterrupted);
  }
  interrupt(false);
  EXPECT_EQ(model.answer({question})[0].finish, "stop");
}

// A whole recipe through run(): rewriting, both trainings, evaluation, report; and once more, when all is
// done.
TEST(Library, RunsAWholeRecipe) {
  const sdft::testing::ScratchDir dir;
  const auto world = kSeed.parent_path() / "mini-world";
  std::ofstream(dir / "recipe.yaml")
      << "model_name_or_path: " << kSeed.string()
      << "\ndataset: " << (world / "delivery_train.jsonl").string()
      << "\nanswer_check: answer\nmax_samples: 12\nmax_new_tokens: 24"
         "\nnum_train_epochs: 1\nlora_rank: 2\nbaseline: true\neval:"
         "\n  - {name: target, kind: target, check: answer, max_samples: 8, dataset: "
      << (world / "delivery_test.jsonl").string() << "}\n";
  const std::vector<std::string> settings = {"output_dir=" + (dir / "run").string()};
  const std::string report = run(dir / "recipe.yaml", settings);
  EXPECT_THAT(report, HasSubstr("target"));
  for (const char* made : {"distill/distilled.jsonl", "sdft/adapter/adapter_model.safetensors",
                           "vanilla/adapter/adapter_model.safetensors", "report.html"})
    EXPECT_TRUE(std::filesystem::exists(dir / "run" / made)) << made;
  EXPECT_EQ(run(dir / "recipe.yaml", settings), report);
}

}  // namespace
}  // namespace sdft::api
