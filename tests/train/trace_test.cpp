// Whole trainings of a real small model as PEFT and torch ran them (../shared/fixtures/training): schedules,
// weight decay, accumulation, masked and padded rows.
#include <cmath>

#include "base/json.h"
#include "model/safetensors.h"
#include "testing.h"
#include "train/trainer.h"

namespace sdft {
namespace {
using testing::fixture;

class Trace : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    dir_ = fixture("training/stories260k-hf") / GetParam();
    REQUIRE_FIXTURE(dir_);
    golden_ = read_json(dir_ / "golden.json");
    model_ = load_model(fixture("weights/stories260k-hf"), {"cpu", "f32"});
    lora_ = golden_["lora"].is_object();
    if (lora_) adapter_ = load_adapter(model_, dir_ / "initial_adapter");
  }

  ModelView student() const { return {model_, &adapter_}; }

  NamedTensors parameters() {
    NamedTensors list;
    for (auto& [name, pair] : adapter_.pairs) {
      list.emplace_back(name + ".a", pair.a);
      list.emplace_back(name + ".b", pair.b);
    }
    if (!lora_)
      for (auto& [name, tensor] : named_parameters(model_)) list.emplace_back(name, *tensor);
    for (auto& item : list) item.second.requires_grad_(true);
    return list;
  }

  static std::vector<Sample> samples(const Json& batch) {
    std::vector<Sample> list;
    for (size_t row = 0; row < batch["input_ids"].size(); ++row) {
      Sample sample;
      for (size_t t = 0; t < batch["input_ids"][row].size(); ++t) {
        if (batch["attention_mask"][row][t] == 0) continue;
        sample.ids.push_back(batch["input_ids"][row][t].get<int32_t>());
        sample.supervised.push_back(batch["labels"][row][t].get<int>() != -100);
      }
      list.push_back(sample);
    }
    return list;
  }

  double micro_batch(const Json& batch) {
    const std::vector<Sample> rows = samples(batch);
    std::vector<const Sample*> list;
    for (const Sample& row : rows) list.push_back(&row);
    return accumulate_gradients(*make_objective("sft", {model_, model_}), student(), list, 1 << 20, {});
  }

  void expect_final_logits() {
    at::NoGradGuard no_grad;
    const auto prompts = golden_["prompts"].get<std::vector<std::vector<int32_t>>>();
    for (size_t i = 0; i < prompts.size(); ++i) {
      const Tensor hidden = forward(student(), pack({prompts[i]}, at::kCPU));
      const Tensor got = logits(student(), hidden.narrow(0, hidden.size(0) - 1, 1)).squeeze(0);
      const auto values = golden_["final_last_logits"][i].get<std::vector<float>>();
      const Tensor want = at::tensor(at::ArrayRef<float>(values));
      EXPECT_LT((got - want).abs().max().item<double>(), 2e-3 * want.abs().max().item<double>()) << i;
    }
  }

  std::filesystem::path dir_;
  Json golden_;
  Model model_;
  Adapter adapter_;
  bool lora_ = false;
};

TEST_P(Trace, EveryStepAsInTorch) {
  const Json& settings = golden_["optimizer"];
  AdamWOptions options;
  options.weight_decay = settings["weight_decay"];
  options.decay_vectors = settings["no_decay"] == "none";
  const Schedule schedule{golden_["schedule"]["name"], settings["lr"], golden_["schedule"]["warmup_steps"],
                          golden_["schedule"]["total_steps"]};
  const auto accumulation = golden_["gradient_accumulation"].get<size_t>();
  AdamW optimizer(options, parameters());
  for (size_t step = 0; step < golden_["trace"].size(); ++step) {
    SCOPED_TRACE(step);
    const Json& want = golden_["trace"][step];
    for (size_t i = 0; i < accumulation; ++i) {
      const double loss = want["losses"][i].get<double>();
      EXPECT_NEAR(micro_batch(golden_["batches"][step * accumulation + i]), loss, 1e-4 * loss);
    }
    // There micro-batches weigh alike; here tokens do, so that these were one step each so far.
    for (auto& item : optimizer.parameters)
      if (item.second.grad().defined()) item.second.mutable_grad().div_(static_cast<double>(accumulation));
    const double rate = learning_rate_at(schedule, static_cast<int64_t>(step));
    EXPECT_NEAR(rate, want["lr"].get<double>(), 1e-12);
    const double norm = want["grad_norm_before_clip"];
    EXPECT_NEAR(optimizer.step(rate, golden_["max_grad_norm"]), norm, 1e-3 * norm);
  }
  for (auto& item : optimizer.parameters) item.second.requires_grad_(false);
  expect_final_logits();
  if (!lora_) return;
  const Adapter end = load_adapter(model_, dir_ / "final_adapter");
  for (const auto& [module, pair] : end.pairs) {
    EXPECT_LT((adapter_.pairs.at(module).a - pair.a).abs().max().item<double>(), 1e-4) << module;
    EXPECT_LT((adapter_.pairs.at(module).b - pair.b).abs().max().item<double>(), 1e-4) << module;
  }
}

INSTANTIATE_TEST_SUITE_P(Stories, Trace,
                         ::testing::Values("lora-r8-qv-cosine", "lora-r4-all-linear-sched-accum2",
                                           "full-cosine"));

}  // namespace
}  // namespace sdft
