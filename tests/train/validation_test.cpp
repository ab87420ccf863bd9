// Held-back samples: their split, their loss, early stop, the best parameters, and all of it across kills.
#include "train/validation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "testing.h"
#include "train/training.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using testing::expect_same;
using ::testing::HasSubstr;
using ::testing::IsSubsetOf;
using testing::quick;
using testing::samples_of;
using testing::ScratchDir;
using testing::Training;

std::vector<Example> examples(size_t count) {
  std::vector<Example> list(count);
  for (size_t i = 0; i < count; ++i) list[i].id = "example " + std::to_string(i);
  return list;
}

std::set<std::string> held_back(const std::vector<Example>& list, double val_size, uint64_t seed) {
  std::set<std::string> ids;
  for (const Example* example : split_validation(list, val_size, seed).validation) ids.insert(example->id);
  return ids;
}

TEST(Split, IsNestedSeededAndStableAgainstOtherExamples) {
  const auto list = examples(400);
  std::set<std::string> smaller;
  for (double val_size : {0.05, 0.2, 0.5}) {
    const auto ids = held_back(list, val_size, 3);
    const double expected = 400 * val_size;
    EXPECT_NEAR(static_cast<double>(ids.size()), expected, 4 * std::sqrt(expected * (1 - val_size)));
    EXPECT_THAT(smaller, IsSubsetOf(ids));
    EXPECT_NE(ids, held_back(list, val_size, 4));
    EXPECT_THAT(held_back(examples(300), val_size, 3), IsSubsetOf(ids));
    smaller = ids;
  }
  const Split split = split_validation(list, 0.2, 3), none = split_validation(list, 0, 3);
  EXPECT_EQ(split.train.size() + split.validation.size(), list.size());
  EXPECT_EQ(none.train.size(), list.size());
  EXPECT_TRUE(none.validation.empty());
  EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));  // the examples' order
}

TEST(Split, HasToLeaveSomethingOnBothSides) {
  for (double val_size : {1e-9, 0.99}) {
    try {
      split_validation(examples(2), val_size, 1);
      ADD_FAILURE() << val_size;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kInput);
      EXPECT_THAT(e.what(), HasSubstr(val_size < 0.5 ? "nothing to validate with" : "nothing to train on"));
    }
  }
}

// The same as the training loss where there is no dropout, and weighed by tokens as it is.
TEST(Validation, LossIsTheTrainingLoss) {
  TrainOptions options = quick();
  options.lora.dropout = 0;
  Training run(options);
  run.trainer->step(run.source->batch(0));
  const auto batch = run.source->batch(1);
  double sum = 0, tokens = 0;
  for (const Sample* sample : batch) {
    const auto count = static_cast<double>(supervised_tokens(*sample));
    sum += count * run.trainer->loss({sample});
    tokens += count;
  }
  const double loss = run.trainer->loss(batch);
  EXPECT_NEAR(loss, sum / tokens, 1e-5);
  EXPECT_NEAR(loss, run.trainer->step(batch).loss, 1e-6 * loss);
}

TrainOptions validating() {
  TrainOptions options = quick();
  options.learning_rate = 0.05;
  options.eval_steps = 1;
  options.load_best_model_at_end = true;
  return options;
}

// metrics.jsonl without the only figure that differs between runs.
std::vector<Json> metrics_of(const fs::path& dir) {
  std::vector<Json> lines;
  for_each_line(dir / "metrics.jsonl", [&](std::string_view line, size_t) {
    lines.push_back(parse_json(line, "metrics"));
    lines.back().erase("tokens_per_second");
  });
  return lines;
}

size_t best_files(const fs::path& dir) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(dir))
    count += entry.path().filename().string().rfind("best-", 0) == 0;
  return count;
}

TEST(Validation, IsMeasuredAfterEachEpochOrSoManySteps) {
  const auto held = samples_of(5, 33);
  const auto measured = [&](int64_t eval_steps) {
    TrainOptions options = quick();
    options.eval_steps = eval_steps;
    Training run(options);  // 12 steps, 4 an epoch
    ScratchDir dir;
    train(*run.trainer, *run.source, held, {}, dir.path(), {});
    std::vector<int64_t> steps;
    for (const Json& line : metrics_of(dir.path()))
      if (line.contains("validation_loss")) steps.push_back(line["step"]);
    EXPECT_EQ(best_files(dir.path()), 0u);
    return steps;
  };
  EXPECT_THAT(measured(0), ::testing::ElementsAre(4, 8, 12));
  EXPECT_THAT(measured(5), ::testing::ElementsAre(5, 10, 12));
}

// Measuring changes nothing of what is learned; nor does the end come at another rate.
TEST(Validation, LeavesTheTrainingAsItIs) {
  const auto held = samples_of(5, 33);
  TrainOptions options = validating();
  options.load_best_model_at_end = false;
  Training without(options), with(options);
  ScratchDir a, b;
  train(*without.trainer, *without.source, {}, {}, a.path(), {});
  train(*with.trainer, *with.source, held, {}, b.path(), {});
  expect_same(without.adapter, with.adapter);
  const auto plain = metrics_of(a.path());
  auto measured = metrics_of(b.path());
  for (Json& line : measured) EXPECT_EQ(line.erase("validation_loss"), 1u);
  EXPECT_EQ(plain, measured);
}

TEST(Validation, StopsEarlyWithTheBestParameters) {
  const auto held = samples_of(5, 33);
  TrainOptions options = validating();
  options.early_stopping_patience = 2;
  Training run(options);
  ScratchDir dir;
  const TrainingHistory history = train(*run.trainer, *run.source, held, {}, dir.path(), {});
  const auto lines = metrics_of(dir.path());
  ASSERT_LT(lines.size(), 12u) << "a training that overfits";
  EXPECT_EQ(static_cast<int64_t>(lines.size()), history.best_step + 2);
  std::vector<double> losses;
  for (const Json& line : lines) losses.push_back(line["validation_loss"]);
  EXPECT_EQ(*std::min_element(losses.begin(), losses.end()), history.best_loss);
  EXPECT_EQ(losses[static_cast<size_t>(history.best_step - 1)], history.best_loss);
  // The schedule is the one of all 12 steps.
  EXPECT_EQ(lines.back()["learning_rate"].get<double>(),
            learning_rate_at({options.lr_scheduler_type, options.learning_rate, 0, 12},
                             static_cast<int64_t>(lines.size()) - 1));
  std::vector<const Sample*> all;
  for (const Sample& sample : held) all.push_back(&sample);
  EXPECT_EQ(run.trainer->loss(all), history.best_loss);
  // Those of a training that only takes so many steps.
  Training shorter(options);
  for (int64_t step = 0; step < history.best_step; ++step) shorter.trainer->step(shorter.source->batch(step));
  expect_same(shorter.adapter, run.adapter);
}

// Every moment of a training at which a kill leaves another state on the disk: after the best was written and
// before the step's line was, after the line and before the checkpoint, after the checkpoint.
TEST(Validation, KilledAnywhereEndsTheSame) {
  const auto held = samples_of(5, 33);
  const std::pair<int64_t, int64_t> cases[] = {{0, 3}, {2, 1}};
  for (const auto& [patience, save_steps] : cases) {
    SCOPED_TRACE(std::to_string(patience) + " " + std::to_string(save_steps));
    TrainOptions options = validating();
    options.early_stopping_patience = patience;
    options.save_steps = save_steps;
    Training whole(options);
    ScratchDir dir, kills;
    int64_t steps = 0;
    const auto last = train(*whole.trainer, *whole.source, held, {}, dir.path(), [&](const StepMetrics& m) {
      const std::string name = std::to_string(steps = m.step);
      fs::copy(dir.path(), kills / ("line-" + name));
      fs::copy(dir.path(), kills / ("best-" + name));
      std::string text = read_text(kills / ("best-" + name) / "metrics.jsonl");
      text.resize(text.rfind('\n', text.size() - 2) + 1);  // nothing where there is one line
      write_file_atomic(kills / ("best-" + name) / "metrics.jsonl", text);
    });
    fs::copy(dir.path(), kills / "end");
    const auto metrics = metrics_of(dir.path());
    size_t resumed = 0;
    for (const auto& entry : fs::directory_iterator(kills.path())) {
      SCOPED_TRACE(entry.path().filename().string());
      Training second(options);
      const auto history = train(*second.trainer, *second.source, held, {}, entry.path(), {});
      EXPECT_EQ(history.best_step, last.best_step);
      EXPECT_EQ(metrics_of(entry.path()), metrics);
      EXPECT_EQ(best_files(entry.path()), 1u);
      expect_same(second.adapter, whole.adapter);
      ++resumed;
    }
    EXPECT_EQ(resumed, static_cast<size_t>(2 * steps + 1));
  }
}

// A replay from an older checkpoint finds the best that the checkpoint knows even where a later best has been
// written and the replay, on another processor, does not reach it again.
TEST(Validation, TheCheckpointsBestOutlivesLaterOnes) {
  const auto held = samples_of(5, 33);
  TrainOptions options = validating();
  options.learning_rate = 1e-3;  // each step is a new best
  options.save_steps = 3;
  Training run(options);
  ScratchDir dir, kill;
  train(*run.trainer, *run.source, held, {}, dir.path(), [&](const StepMetrics& m) {
    if (m.step == 5) fs::copy(dir.path(), kill / "at");
  });
  EXPECT_TRUE(fs::exists(kill / "at" / "best-3.safetensors"));
  EXPECT_TRUE(fs::exists(kill / "at" / "best-5.safetensors"));
  EXPECT_EQ(best_files(kill / "at"), 2u);
}

}  // namespace
}  // namespace sdft
