// Training each kind of adapter: killed and resumed, at PEFT's learning rates, with noise.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "model/shift.h"
#include "testing.h"
#include "train/distillation.h"
#include "train/training.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using testing::quick;
using testing::small_model;
using testing::Training;

std::map<std::string, TrainOptions> kinds() {
  std::map<std::string, TrainOptions> kinds;
  auto add = [&](const char* name) -> TrainOptions& {
    TrainOptions& options = kinds[name] = quick();
    options.learning_rate = 2e-3;
    return options;
  };
  TrainOptions& dora = add("dora");
  dora.lora.use_dora = true;
  dora.lora.target_modules = {"q_proj", "embed_tokens", "lm_head"};
  add("pissa").lora.init = "pissa";
  add("vocabulary").lora.target_modules = {"embed_tokens", "lm_head", "q_proj"};
  add("saved").lora.modules_to_save = {"embed_tokens", "lm_head"};
  TrainOptions& patterns = add("patterns");
  patterns.lora.rank_pattern = {{"q_proj", 2}};
  patterns.lora.alpha_pattern = {{"v_proj", 3}};
  TrainOptions& plus = add("loraplus");
  plus.loraplus_lr_ratio = 8;
  plus.neftune_noise_alpha = 5;
  return kinds;
}

NamedTensors parameters(Trainer& trainer) { return trainer.state().parameters; }

void expect_same(Trainer& a, Trainer& b) {
  const NamedTensors one = parameters(a), other = parameters(b);
  ASSERT_EQ(one.size(), other.size());
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].second.equal(other[i].second)) << one[i].first;
}

TEST(AdapterKinds, InterruptedAndResumedIsUninterrupted) {
  for (const auto& [name, options] : kinds()) {
    SCOPED_TRACE(name);
    testing::ScratchDir dir, other;
    Training whole(options);
    std::vector<double> losses;
    train(*whole.trainer, *whole.source, {}, {}, other.path(),
          [&](const StepMetrics& m) { losses.push_back(m.loss); });
    std::atomic<bool> stop{false};
    {
      Training first(options);
      EXPECT_THROW(train(
                       *first.trainer, *first.source, {}, {}, dir.path(),
                       [&](const StepMetrics& m) { stop = m.step == 5; }, &stop),
                   Error);
    }
    Training second(options);
    std::vector<double> rest;
    train(*second.trainer, *second.source, {}, {}, dir.path(),
          [&](const StepMetrics& m) { rest.push_back(m.loss); });
    ASSERT_EQ(rest.size(), 7u);
    EXPECT_EQ(std::vector<double>(losses.end() - 7, losses.end()), rest);
    expect_same(*whole.trainer, *second.trainer);
    EXPECT_LT(losses.back(), losses.front());
    // What is saved gives the same logits.
    at::NoGradGuard no_grad;
    testing::ScratchDir saved;
    save_adapter(whole.adapter, saved.path(), "base");
    const Adapter loaded = load_adapter(whole.model, saved.path());
    const ModelView tuned = whole.trainer->student(), again(whole.model, &loaded);
    const PackedTokens tokens = pack({{1, 2, 3, 4}, {9}}, at::kCPU);
    const Tensor before = logits(tuned, forward(tuned, tokens)),
                 after = logits(again, forward(again, tokens));
    EXPECT_LT((before - after).abs().max().item<double>(), 1e-4);
  }
}

// The parameters of an earlier step come back with what follows from them.
TEST(AdapterKinds, TheBestModelIsWholeAgain) {
  TrainOptions options = kinds()["dora"];
  options.learning_rate = 0.3;  // gets worse
  options.load_best_model_at_end = true;
  options.val_size = 0.2;
  options.eval_steps = 1;
  Training run(options);
  testing::ScratchDir dir;
  const auto held_back = testing::samples_of(3, 77);
  const TrainingHistory history = train(*run.trainer, *run.source, held_back, {}, dir.path(), {});
  ASSERT_LT(history.best_step, 12);
  std::vector<const Sample*> list;
  for (const Sample& sample : held_back) list.push_back(&sample);
  EXPECT_NEAR(run.trainer->loss(list), history.best_loss, 1e-6);
}

TEST(AdapterKinds, AnAveragedTeacherKeepsItsNorms) {
  Model model = small_model();
  LoraConfig config;
  config.use_dora = true;
  Adapter adapter = init_adapter(model, config, 1);
  TeacherOptions options;
  options.kind = "ema";
  options.update_rate = 0.5;
  Teacher teacher(model, {model, &adapter}, options);
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_();
  refresh_norms(model, adapter);
  teacher.stepped({model, &adapter}, 1);
  Adapter expected = adapter;
  for (auto& [name, pair] : expected.pairs) pair.b = pair.b * 0.5;
  refresh_norms(model, expected);
  const ModelView view = teacher.view({model, &adapter});
  for (const auto& [name, pair] : expected.pairs) {
    EXPECT_TRUE(view.adapter->find(name)->norm.allclose(pair.norm)) << name;
    EXPECT_FALSE(adapter.pairs.at(name).norm.allclose(pair.norm)) << name;
  }
  // Restored in place, as from a checkpoint.
  Teacher other(model, {model, &adapter}, options);
  NamedTensors state = other.state();
  const NamedTensors kept = teacher.state();
  for (size_t i = 0; i < state.size(); ++i) state[i].second.copy_(kept[i].second);
  const ModelView again = other.view({model, &adapter});
  for (const auto& [name, pair] : expected.pairs)
    EXPECT_TRUE(again.adapter->find(name)->norm.equal(view.adapter->find(name)->norm)) << name;
}

// The groups that PEFT's create_loraplus_optimizer made, with lr 1e-3 and a ratio of 16.
TEST(LoraPlus, RatesAreThoseOfPeft) {
  const fs::path fixtures = fs::path(SDFT_SOURCE_DIR) / "tests/model/peft";
  const Json cases = read_json(fixtures / "cases.json")["cases"];
  for (const char* kind : {"dora_all", "vocabulary", "saved"}) {
    Model model = load_model(fs::path(SDFT_SOURCE_DIR) / "tests/train/trl/model", {"cpu", "f32"});
    Adapter adapter = load_adapter(model, fixtures / kind);
    TrainOptions options = quick();
    options.learning_rate = 1e-3;
    options.loraplus_lr_ratio = 16;
    Trainer trainer(model, &adapter, make_objective("sft", {model, model}), options, 4);
    const AdamW& state = trainer.state();
    ASSERT_EQ(state.parameters.size(), cases[kind]["rates"].size());
    for (size_t i = 0; i < state.parameters.size(); ++i)
      EXPECT_NEAR(state.rates[i] * 1e-3, cases[kind]["rates"][state.parameters[i].first].get<double>(), 1e-12)
          << kind << " " << state.parameters[i].first;
  }
}

TEST(Neftune, NoiseIsBoundedByEachSequencesLength) {
  const Model model = small_model();
  // All that is behind the embedding is the identity here: no layers, and a norm that scales a row back.
  Model bare = model;
  bare.layers.clear();
  bare.config.layers.clear();
  const PackedTokens tokens = pack({{5}, {5, 6, 7, 8}}, at::kCPU);
  auto noised = [&](double alpha, uint64_t key) {
    at::NoGradGuard no_grad;
    Model wide = bare;
    wide.embed = bare.embed * 1000;  // a norm in which the noise is nearly linear
    return forward(wide, tokens, {{}, ops::MatmulPrecision::kFull, {alpha, key}});
  };
  EXPECT_TRUE(noised(5, 1).equal(noised(5, 1)));
  EXPECT_FALSE(noised(5, 1).equal(noised(5, 2)));
  const Tensor change = (noised(5, 1) - noised(0, 1)).abs(), size = noised(0, 1).abs();
  // The first has one token, the others four: half the bound.
  const double first = change[0].max().item<double>(), others = change.narrow(0, 1, 4).max().item<double>();
  EXPECT_GT(first, 1.4 * others);
  EXPECT_GT(others, 0);
}

TEST(Neftune, MicroBatchesHaveNoiseOfTheirOwnAndValidationNone) {
  TrainOptions options = quick();
  options.neftune_noise_alpha = 20;
  Training with(options), without(quick());
  const std::vector<const Sample*> one{&with.samples[0]};
  EXPECT_EQ(with.trainer->loss(one), without.trainer->loss(one));
  const auto objective = make_objective("sft", {with.model, with.model});
  ForwardOptions forward_options;
  forward_options.noise = {20, 9};
  auto loss = [&](const std::vector<const Sample*>& list, int64_t most) {
    const double value =
        accumulate_gradients(*objective, {with.model, &with.adapter}, list, most, forward_options);
    for (auto& item : with.trainer->state().parameters) item.second.mutable_grad() = Tensor();
    return value;
  };
  EXPECT_EQ(loss(one, 1000), loss(one, 1000));
  // The same sample twice, in one micro-batch each: their losses differ, so that their mean is not the
  // first's.
  EXPECT_NE(loss({one[0], one[0]}, 1), loss(one, 1));
}

TEST(Shift, OfDoraAndPissaIsThatOfTheMergedWeights) {
  for (const auto& [name, options] : kinds()) {
    SCOPED_TRACE(name);
    Training run(options);
    for (int64_t step = 0; step < 3; ++step) run.trainer->step(run.source->batch(step));
    at::NoGradGuard no_grad;
    Model merged = clone(run.model);
    merge_adapter(merged, run.adapter);
    const ParameterShift found = parameter_shift(run.model, run.trainer->student()),
                         expected = parameter_shift(run.model, merged);
    EXPECT_NEAR(found.total, expected.total, 1e-3 * expected.total);
    ASSERT_EQ(found.modules.size(), expected.modules.size());
    for (size_t i = 0; i < found.modules.size(); ++i) {
      EXPECT_EQ(found.modules[i].module, expected.modules[i].module);
      EXPECT_NEAR(found.modules[i].shift, expected.modules[i].shift, 1e-3 * expected.modules[i].shift);
    }
    // And so is || W - W0 ||^2 of l2_sp.
    double sum = 0;
    Model own = run.model;
    const auto before = named_parameters(own), after = named_parameters(merged);
    for (size_t i = 0; i < before.size(); ++i)
      sum += (before[i].second->to(at::kDouble) - after[i].second->to(at::kDouble))
                 .square()
                 .sum()
                 .item<double>();
    ObjectiveOptions weighs;
    weighs.anchor_weight = 1;
    const auto l2_sp = make_objective("l2_sp", {run.model, run.trainer->student(), weighs});
    EXPECT_NEAR(l2_sp->penalty(run.trainer->student()).item<double>(), sum, 1e-3 * sum);
  }
}

}  // namespace
}  // namespace sdft
