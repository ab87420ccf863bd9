// The seams of training: steps that can be taken one by one, sources, objectives, gradients on their way.
#include "train/trainer.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "testing.h"
#include "train/training.h"

namespace sdft {
namespace {
using testing::expect_same;
using ::testing::HasSubstr;
using testing::quick;
using testing::samples_of;
using testing::small_model;
using testing::Training;

TEST(Trainer, StepsOneByOneAreTheLoop) {
  Training one(quick()), all(quick());
  testing::ScratchDir dir;
  std::vector<double> losses;
  train(*all.trainer, *all.source, {}, {}, dir.path(),
        [&](const StepMetrics& m) { losses.push_back(m.loss); });
  for (int64_t step = 0; step < 12; ++step)
    EXPECT_EQ(one.trainer->step(one.source->batch(step)).loss, losses[static_cast<size_t>(step)]);
  expect_same(one.adapter, all.adapter);
  EXPECT_LT(losses.back(), losses.front());
}

TEST(Trainer, InterruptedAndResumedIsUninterrupted) {
  Training whole(quick());
  testing::ScratchDir dir, other;
  train(*whole.trainer, *whole.source, {}, {}, other.path(), {});
  std::atomic<bool> stop{false};
  {
    Training first(quick());
    EXPECT_THROW(train(
                     *first.trainer, *first.source, {}, {}, dir.path(),
                     [&](const StepMetrics& m) { stop = m.step == 5; }, &stop),
                 Error);
  }
  Training second(quick());
  int64_t steps = 0;
  train(*second.trainer, *second.source, {}, {}, dir.path(), [&](const StepMetrics&) { ++steps; });
  EXPECT_EQ(steps, 7);
  expect_same(second.adapter, whole.adapter);
}

TEST(Trainer, GradientsCanBeChangedOnTheirWay) {
  Training run(quick());
  const Tensor before = run.adapter.pairs.begin()->second.b.detach().clone();
  size_t seen = 0;
  run.trainer->on_gradients = [&](NamedTensors& parameters) {
    for (auto& item : parameters) {
      seen += item.second.grad().defined();
      item.second.mutable_grad() = Tensor();
    }
  };
  const StepMetrics m = run.trainer->step(run.source->batch(0));
  EXPECT_EQ(seen, 2 * run.adapter.pairs.size());
  EXPECT_EQ(m.grad_norm, 0);
  EXPECT_TRUE(run.adapter.pairs.begin()->second.b.equal(before));
}

TEST(Trainer, SeedAndTunedAreThereAtOnce) {
  Training run(quick());
  const PackedTokens tokens = pack({{1, 2, 3, 4}}, at::kCPU);
  at::Tensor seed;
  {
    at::NoGradGuard no_grad;
    seed = logits(run.model, forward(run.model, tokens));
  }
  run.trainer->step(run.source->batch(0));
  run.trainer->step(run.source->batch(1));
  at::NoGradGuard no_grad;
  const ModelView student = run.trainer->student();
  EXPECT_FALSE(logits(student, forward(student, tokens)).allclose(seed));
  EXPECT_TRUE(logits(run.model, forward(run.model, tokens)).equal(seed));
}

TEST(Trainer, FullFineTuningOfACloneLeavesTheSeed) {
  Model seed = small_model();
  Model own = clone(seed);
  const auto samples = samples_of(6);
  Trainer trainer(own, nullptr, make_objective("sft", {seed, seed}), quick(), 2);
  trainer.step(fixed_data(samples, 3, 1)->batch(0));
  const Model fresh = small_model();
  EXPECT_TRUE(seed.layers[0].q.weight.equal(fresh.layers[0].q.weight));
  EXPECT_TRUE(seed.embed.equal(fresh.embed));
  EXPECT_FALSE(own.layers[0].q.weight.equal(fresh.layers[0].q.weight));
  EXPECT_FALSE(own.embed.equal(fresh.embed));
}

TEST(FixedData, EachEpochHasEverySampleOnceInAnOrderOfItsOwn) {
  const auto samples = samples_of(10);
  const auto source = fixed_data(samples, 4, 7);
  EXPECT_EQ(source->steps_per_epoch(), 3);
  std::vector<std::vector<const Sample*>> epochs(2);
  for (int64_t step = 0; step < 6; ++step)
    for (const Sample* sample : source->batch(step)) epochs[static_cast<size_t>(step / 3)].push_back(sample);
  std::vector<const Sample*> all;
  for (const Sample& sample : samples) all.push_back(&sample);
  for (const auto& epoch : epochs) EXPECT_THAT(epoch, ::testing::UnorderedElementsAreArray(all));
  EXPECT_NE(epochs[0], epochs[1]);
  // The same whatever was asked before: a resumed training.
  EXPECT_EQ(fixed_data(samples, 4, 7)->batch(4), source->batch(4));
}

TEST(Objective, UnknownNamesAreToldWithTheKnown) {
  const Model model = small_model();
  try {
    make_objective("stf", {model, model});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("sft"));
    EXPECT_EQ(e.code(), ExitCode::kUsage);
  }
}

// A loss that is no number ends the training, before it spoils the parameters, with the samples whose it is.
TEST(Trainer, NamesTheSamplesWhoseLossIsNoNumber) {
  testing::Training training(testing::quick(), false);
  const auto bad = static_cast<int32_t>(training.model.config.vocab_size - 1);
  {
    at::NoGradGuard no_grad;
    training.model.embed[bad].fill_(std::numeric_limits<float>::quiet_NaN());
  }
  for (size_t i = 0; i < training.samples.size(); ++i) {
    Sample& sample = training.samples[i];
    sample.id = "sample-" + std::to_string(i);
    for (int32_t& id : sample.ids) id = std::min(id, bad - 1);
  }
  training.samples[1].ids[0] = bad;
  std::vector<const Sample*> batch;
  for (size_t i = 0; i < 3; ++i) batch.push_back(&training.samples[i]);
  const Tensor before = training.model.lm_head.clone();
  try {
    training.trainer->step(batch);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("of sample-1 ("), std::string::npos) << error.what();
  }
  EXPECT_TRUE(training.model.lm_head.equal(before));
}

}  // namespace
}  // namespace sdft
