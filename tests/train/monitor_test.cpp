// The watch over a training: what it measures, and that a fault takes the training back.
#include "train/monitor.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "testing.h"
#include "train/divergence.h"
#include "train/training.h"

namespace sdft {
namespace {

using testing::quick;
using testing::ScratchDir;
using testing::small_model;
using testing::Training;

TEST(Spread, IsTheMeanOverTheTokens) {
  at::NoGradGuard no_grad;
  Model model = small_model();
  Adapter adapter = init_adapter(model, quick().lora, 1);
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.1);
  const auto samples = testing::samples_of(4);
  double kl = 0, entropy = 0;
  int64_t count = 0;
  for (const Sample& sample : samples) {
    auto rows = [&](ModelView view) {
      const Tensor all =
          at::log_softmax(logits(view, forward(view, pack({sample.ids}, at::kCPU))).to(at::kDouble), -1);
      return all.narrow(0, 0, all.size(0) - 1);
    };
    const Tensor before = rows(model), now = rows({model, &adapter});
    kl += (now.exp() * (now - before)).sum().item<double>();
    entropy -= (now.exp() * now).sum().item<double>();
    count += now.size(0);
  }
  for (const int64_t most : {int64_t{1}, int64_t{1} << 20}) {
    const Spread spread = spread_of(model, {model, &adapter}, samples, most);
    EXPECT_NEAR(spread.kl, kl / static_cast<double>(count), 1e-5 * spread.kl);
    EXPECT_NEAR(spread.entropy, entropy / static_cast<double>(count), 1e-5 * spread.entropy);
  }
  EXPECT_NEAR(spread_of(model, model, samples, 64).kl, 0, 1e-6);
}

TEST(Distances, AreThoseOfEachToken) {
  at::NoGradGuard no_grad;
  Model model = small_model();
  Adapter adapter = init_adapter(model, quick().lora, 1);
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.3);
  auto samples = testing::samples_of(4);
  samples[1].supervised.assign(samples[1].ids.size(), 0);  // nothing
  samples[2].supervised.back() = 0;
  for (const int64_t most : {int64_t{1}, int64_t{1} << 20}) {
    const auto found = distances(model, {model, &adapter}, samples, most);
    ASSERT_EQ(found.size(), samples.size());
    EXPECT_TRUE(found[1].empty());
    for (size_t s = 0; s < samples.size(); ++s) {
      auto rows = [&](ModelView view) {
        return at::log_softmax(logits(view, forward(view, pack({samples[s].ids}, at::kCPU))).to(at::kDouble),
                               -1);
      };
      const Tensor before = rows(model), now = rows({model, &adapter});
      const Tensor kl = (before.exp() * (before - now)).sum(-1), same = before.argmax(-1).eq(now.argmax(-1));
      size_t next = 0;
      for (size_t t = 1; t < samples[s].ids.size(); ++t) {
        if (!samples[s].supervised[t]) continue;
        const auto row = static_cast<int64_t>(t) - 1;
        ASSERT_LT(next, found[s].size());
        EXPECT_NEAR(found[s][next].kl, kl[row].item<double>(), 1e-5 * (1 + kl[row].item<double>()));
        EXPECT_EQ(found[s][next].agrees, same[row].item<bool>());
        ++next;
      }
      EXPECT_EQ(next, found[s].size());
    }
  }
}

// Finds a fault at its n-th measurement.
Monitor faulty_from(int64_t step, int64_t every) {
  return {every, [step, seen = int64_t{0}](ModelView student) mutable {
            (void)student;
            ++seen;
            return Measured{{{"kl_task", 0.5}}, seen >= step ? "too far" : ""};
          }};
}

TEST(Monitor, AFaultTakesTheTrainingBack) {
  Training whole(quick()), watched(quick());
  ScratchDir a, b;
  Adapter after_four;
  train(*whole.trainer, *whole.source, {}, {}, a.path(), [&](const StepMetrics& m) {
    if (m.step != 4) return;
    after_four = whole.adapter;
    for (auto& [name, pair] : after_four.pairs)
      pair = {pair.a.detach().clone(), pair.b.detach().clone(), pair.scale};
  });
  const TrainingHistory history =
      train(*watched.trainer, *watched.source, {}, faulty_from(3, 2), b.path(), {});
  EXPECT_EQ(history.sound_step, 4);
  EXPECT_EQ(history.fault, "too far");
  EXPECT_EQ(watched.trainer->steps(), 6);
  testing::expect_same(watched.adapter, after_four);
  EXPECT_THAT(read_text(b / "metrics.jsonl"), ::testing::HasSubstr("\"fault\":\"too far\""));
  // Asked again it is over at once.
  Training again(quick());
  const TrainingHistory found = train(*again.trainer, *again.source, {}, faulty_from(100, 2), b.path(), {});
  EXPECT_EQ(found.fault, "too far");
  testing::expect_same(again.adapter, after_four);
}

TEST(Monitor, WithoutAFaultTheLastStepStays) {
  Training whole(quick()), watched(quick());
  ScratchDir a, b;
  train(*whole.trainer, *whole.source, {}, {}, a.path(), {});
  EXPECT_EQ(train(*watched.trainer, *watched.source, {}, faulty_from(100, 2), b.path(), {}).sound_step, 12);
  testing::expect_same(watched.adapter, whole.adapter);
}

TEST(Monitor, AFaultAtOnceIsAnError) {
  Training run(quick());
  ScratchDir dir;
  try {
    train(*run.trainer, *run.source, {}, faulty_from(1, 2), dir.path(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("before its first sound measurement: too far"));
  }
}

}  // namespace
}  // namespace sdft
