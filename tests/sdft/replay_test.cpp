#include "sdft/replay.h"

#include <gmock/gmock.h>

#include <set>

#include "base/file.h"
#include "data/dataset.h"
#include "data/turn_end.h"
#include "sdft/mini_seed.h"
#include "testing.h"

namespace sdft {
namespace {

using testing::ScratchDir;

struct MadeUp : ::testing::Test, testing::MiniSeed {
  ReplayOptions options;
  ScratchDir dir;

  MadeUp() {
    options.generation.max_new_tokens = 32;
    options.generation.stop_ids = stop_ids(formatter, model.config.eos_token_ids);
  }
};

TEST_F(MadeUp, OwnAnswersTakeTheirPlace) {
  std::vector<Example> examples = read_dataset(assets / "mini-world/lists.jsonl").examples;
  examples.resize(12);
  examples[3].history = {{"before", "that"}};
  const auto made = own_answers(model, formatter, examples, options, dir.path(), nullptr);
  EXPECT_GT(made.size(), 5u);
  EXPECT_LE(made.size(), 11u);
  std::vector<std::string> ids;
  for (const Example& example : made) {
    EXPECT_FALSE(example.response.empty());
    EXPECT_NE(example.id, examples[3].id) << "of a conversation the earlier answers are not its own";
    ids.push_back(example.id);
  }
  // A second call finds the answers there.
  const std::string kept = read_text(dir / "answers.jsonl");
  const auto again = own_answers(model, formatter, examples, options, dir.path(), nullptr);
  EXPECT_EQ(read_text(dir / "answers.jsonl"), kept);
  ASSERT_EQ(again.size(), made.size());
  for (size_t i = 0; i < made.size(); ++i) EXPECT_EQ(again[i].response, made[i].response);
}

TEST_F(MadeUp, DialoguesBeginWhereAUserWould) {
  const std::vector<int32_t> place = question_ids(formatter, {});
  Example asked;
  asked.instruction = "How many?";
  const std::vector<int32_t> whole = prompt_ids(formatter, find_prompt_template("chat"), asked);
  ASSERT_LT(place.size(), whole.size());
  EXPECT_TRUE(std::equal(place.begin(), place.end(), whole.begin()));
  const std::string rest =
      tokenizer.decode({whole.begin() + static_cast<std::ptrdiff_t>(place.size()), whole.end()});
  EXPECT_EQ(rest.rfind("How many?", 0), 0u) << rest;

  options.turns = 2;
  const auto made = self_dialogues(model, formatter, 10, options, dir.path(), nullptr);
  EXPECT_LE(made.size(), 10u);
  std::set<std::string> first;
  for (const Example& example : made) {
    ASSERT_EQ(example.history.size(), 1u);
    for (const std::string& text :
         {example.history[0].query, example.history[0].response, example.instruction, example.response})
      EXPECT_FALSE(text.empty());
    EXPECT_TRUE(first.insert(example.history[0].query).second);
  }
  EXPECT_TRUE(exists(dir / "questions-1.jsonl"));
}

}  // namespace
}  // namespace sdft
