// Layers that run again for their gradients: the same training, bit by bit.
#include <gmock/gmock.h>

#include "train/training.h"

namespace sdft {
namespace {
using testing::quick;
using testing::samples_of;
using testing::small_config;

struct Case {
  const char* name;
  std::function<void(TrainOptions&)> options = [](TrainOptions&) {};
  Json changes = Json::object();  // of the model
  bool lora = true;
  const char* objective = "sft";
};

Model model_of(const Json& changes) {
  Json json = small_config().json;
  json.update(changes);
  LoadOptions load;
  load.device = "cpu";
  Model model = init_model(parse_config(json, "test"), 1, load);
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_parameters(model))
    if (tensor->dim() == 2) tensor->mul_(8.0);
  return model;
}

// What is trained after some steps, and the losses on the way.
NamedTensors trained(const Case& c, bool again, std::vector<double>* losses) {
  set_num_threads(1);
  TrainOptions options = quick();
  options.neftune_noise_alpha = 5;
  options.gradient_accumulation_steps = 2;
  options.cutoff_len = 15;  // several passes a step
  c.options(options);
  options.gradient_checkpointing = again;
  const Model seed = model_of(c.changes);
  Model model = model_of(c.changes);
  Adapter adapter;
  if (c.lora) adapter = init_adapter(model, options.lora, 1);
  const ModelView student(model, c.lora ? &adapter : nullptr);
  Trainer trainer(model, c.lora ? &adapter : nullptr, make_objective(c.objective, {seed, student}), options,
                  12);
  const std::vector<Sample> samples = samples_of(11);
  const auto source = fixed_data(samples, options.samples_per_step(), 4);
  for (int64_t step = 0; step < 4; ++step) losses->push_back(trainer.step(source->batch(step)).loss);
  NamedTensors result;
  for (const auto& [name, tensor] : trainer.state().parameters)
    result.emplace_back(name, tensor.detach().clone());
  return result;
}

const Json kMixture = {{"architectures", {"Qwen3MoeForCausalLM"}},
                       {"model_type", "qwen3_moe"},
                       {"num_experts", 4},
                       {"num_experts_per_tok", 2},
                       {"moe_intermediate_size", 12}};

const Case kCases[] = {
    {"first layer's updates, whose input has no gradient"},
    {"dropout", [](TrainOptions& o) { o.lora.dropout = 0.3; }},
    {"dora", [](TrainOptions& o) { o.lora.use_dora = true, o.lora.dropout = 0.2; }},
    {"pissa", [](TrainOptions& o) { o.lora.init = "pissa"; }},
    {"all layers and the vocabulary",
     [](TrainOptions& o) {
       o.lora.target_modules = {"embed_tokens", "lm_head", "q_proj", "o_proj", "gate_proj", "down_proj"};
     }},
    {"whole weights beside it",
     [](TrainOptions& o) {
       o.lora.modules_to_save = {"embed_tokens", "lm_head"};
     }},
    {"a layer without updates", [](TrainOptions& o) { o.lora.target_modules = {"layers.1.mlp.up_proj"}; }},
    {"mixture of experts", [](TrainOptions&) {}, kMixture},
    {"full mixture of experts", [](TrainOptions&) {}, kMixture, false},
    {"full", [](TrainOptions&) {}, Json::object(), false},
    {"full, tied", [](TrainOptions&) {}, {{"tie_word_embeddings", true}}, false},
    {"a loss of rows", [](TrainOptions&) {}, Json::object(), true, "asft"},
    {"an earlier self beside it", [](TrainOptions&) {}, Json::object(), true, "psft"},
    {"a penalty", [](TrainOptions&) {}, Json::object(), true, "l2_sp"},
};

TEST(Recompute, TrainsToTheSameBytes) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    std::vector<double> plain_losses, losses;
    const NamedTensors plain = trained(c, false, &plain_losses), again = trained(c, true, &losses);
    EXPECT_EQ(plain_losses, losses);
    ASSERT_EQ(plain.size(), again.size());
    for (size_t i = 0; i < plain.size(); ++i)
      EXPECT_TRUE(plain[i].second.equal(again[i].second)) << plain[i].first;
  }
}

TEST(Recompute, WithoutGradientsNothingRunsTwice) {
  int runs = 0;
  const auto part = [&](const Tensor& x) { return ++runs, x * 2; };
  const Tensor x = at::ones({3});
  EXPECT_FALSE(ops::recomputed(x, part).requires_grad());
  {
    at::NoGradGuard no_grad;
    EXPECT_FALSE(ops::recomputed(at::ones({3}).requires_grad_(true), part).requires_grad());
  }
  EXPECT_EQ(runs, 2);
}

TEST(Recompute, GradientsReachInputAndWhatWasCaptured) {
  const Tensor x = at::full({3}, 2.0f).requires_grad_(true), w = at::full({3}, 5.0f).requires_grad_(true);
  const Tensor y = ops::recomputed(x, [w](const Tensor& input) { return input * w; });
  EXPECT_EQ(y.sum().item<float>(), 30);
  (y * 3).sum().backward();
  EXPECT_EQ(x.grad().sum().item<float>(), 45);
  EXPECT_EQ(w.grad().sum().item<float>(), 18);
}

}  // namespace
}  // namespace sdft
