#include "sdft/seed_judge.h"

#include <gtest/gtest.h>

namespace sdft {
namespace {

// Probabilities in the items' order, whoever else is judged.
TEST(SeedJudge, EachItemHasItsOwnProbability) {
  const std::filesystem::path seed = std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed";
  const Model model = load_model(seed, {"cpu", "f32"});
  const Tokenizer tokenizer = Tokenizer::load(seed);
  const ChatTemplate chat = ChatTemplate::load(seed);
  const Formatter formatter{&tokenizer, &chat};
  std::vector<Example> examples(4);
  const std::string rewrites[] = {"The answer is red.", "It is blue.", "", std::string(20000, 'x')};
  std::vector<CheckItem> items;
  for (size_t i = 0; i < examples.size(); ++i) {
    examples[i].id = std::to_string(i);
    examples[i].instruction = "Which colour has the door?";
    examples[i].response = "red";
    items.push_back(check_item(examples[i], rewrites[i]));
  }
  const auto judge_all = seed_judge(model, formatter, "chat");
  const std::vector<double> together = judge_all(items);
  ASSERT_EQ(together.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_NEAR(judge_all({items[i]}).at(0), together[i], 1e-5);
    EXPECT_GE(together[i], 0);
    EXPECT_LE(together[i], 1);
  }
  EXPECT_GT(together[0], 0);
  EXPECT_NE(together[0], together[1]);
  EXPECT_EQ(together[3], 0) << "longer than the context";
  EXPECT_TRUE(judge_all({}).empty());
}

}  // namespace
}  // namespace sdft
