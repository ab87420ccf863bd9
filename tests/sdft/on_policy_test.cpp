#include "sdft/on_policy.h"

#include <gmock/gmock.h>

#include <set>

#include "data/dataset.h"
#include "model/lora.h"
#include "sdft/mini_seed.h"
#include "testing.h"

namespace sdft {
namespace {

struct OnPolicy : ::testing::Test, testing::MiniSeed {
  std::vector<Example> examples = read_dataset(assets / "mini-world/delivery_train.jsonl").examples;
  OnPolicyOptions options;

  OnPolicy() {
    examples.resize(10);
    options.prompts_per_step = 4;
    options.num_generations = 2;
    options.num_loss_tokens_to_skip = 3;
    options.generation.max_new_tokens = 24;
    options.generation.stop_ids = model.config.eos_token_ids;
  }
  std::unique_ptr<BatchSource> source() { return on_policy_data(model, formatter, examples, options); }
};

TEST_F(OnPolicy, AStepsAnswersStandBehindBothPrompts) {
  const auto data = source();
  EXPECT_EQ(data->steps_per_epoch(), 3);
  std::multiset<std::string> seen;
  for (int64_t step = 0; step < 3; ++step)
    for (const Sample* sample : data->batch(step)) {
      seen.insert(sample->id);
      const Example& example = *std::find_if(examples.begin(), examples.end(),
                                             [&](const Example& e) { return e.id == sample->id; });
      const auto bare = prompt_ids(formatter, find_prompt_template("chat"), example);
      const auto shown =
          prompt_ids(formatter, find_prompt_template("chat_demonstration"), example, example.response);
      EXPECT_THAT(tokenizer.decode(shown), ::testing::HasSubstr(example.response));
      ASSERT_TRUE(std::equal(bare.begin(), bare.end(), sample->ids.begin()));
      ASSERT_TRUE(std::equal(shown.begin(), shown.end(), sample->teacher_ids.begin()));
      const std::vector<int32_t> answer(sample->ids.begin() + static_cast<std::ptrdiff_t>(bare.size()),
                                        sample->ids.end());
      ASSERT_EQ(sample->ids.size() - bare.size(), sample->teacher_ids.size() - shown.size());
      EXPECT_TRUE(std::equal(answer.begin(), answer.end(),
                             sample->teacher_ids.begin() + static_cast<std::ptrdiff_t>(shown.size())));
      for (size_t t = 0; t < sample->ids.size(); ++t)
        EXPECT_EQ(sample->supervised[t], t >= bare.size() + 3) << t;
      const auto& stops = options.generation.stop_ids;
      EXPECT_TRUE(answer.size() >= 24 || std::count(stops.begin(), stops.end(), answer.back()) == 1);
    }
  EXPECT_EQ(seen.size(), 20u);
  for (const Example& example : examples) EXPECT_EQ(seen.count(example.id), 2u);
  EXPECT_EQ(data->metrics().size(), 2u);
}

// What a step gets depends on its number and the model, not on what was asked before: a resumed training.
TEST_F(OnPolicy, AStepIsTheSameWheneverItIsAsked) {
  const auto once = source(), again = source();
  once->batch(0);
  std::vector<std::vector<int32_t>> a, b;
  for (const Sample* sample : once->batch(4)) a.push_back(sample->ids);
  for (const Sample* sample : again->batch(4)) b.push_back(sample->ids);
  EXPECT_EQ(a, b);
  b.clear();
  for (const Sample* sample : again->batch(5)) b.push_back(sample->ids);
  EXPECT_NE(a, b);
}

// Several steps learn from the same answers; a resumed training begins where they were written.
TEST_F(OnPolicy, AnswersAreLearnedMoreThanOnce) {
  options.num_iterations = 3;
  const auto data = source();
  EXPECT_EQ(data->steps_per_epoch(), 9);
  auto ids = [&](int64_t step) {
    std::vector<std::vector<int32_t>> all;
    for (const Sample* sample : data->batch(step)) all.push_back(sample->ids);
    return all;
  };
  const auto first = ids(3);
  EXPECT_EQ(ids(4), first);
  EXPECT_EQ(ids(5), first);
  EXPECT_NE(ids(6), first);
  EXPECT_TRUE(data->resumable_at(6));
  EXPECT_FALSE(data->resumable_at(7));
  // What the writer thought of its tokens, which the loss weighs against what the student thinks.
  const std::vector<const Sample*> batch = data->batch(9);
  const MicroBatch packed = micro_batches(batch, 1 << 20, at::kCPU)[0];
  ASSERT_EQ(packed.rollout_log_probs.sizes(), packed.targets.sizes());
  EXPECT_TRUE(packed.rollout_log_probs.allclose(target_log_probs(model, packed), 1e-4, 1e-4));
}

}  // namespace
}  // namespace sdft
