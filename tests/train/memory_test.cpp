// What a training is foretold to take, against what its tensors take.
#include "train/memory.h"

#include <c10/core/CPUAllocator.h>
#include <gmock/gmock.h>

#include "model/skeleton.h"
#include "train/training.h"

namespace sdft {
namespace {
using testing::quick;

// Counts the bytes of all tensors on the CPU, and the most there were.
class Counting final : public Allocator {
 public:
  Counting() { c10::SetCPUAllocator(this, 100); }
  ~Counting() override { c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), 100); }
  c10::DataPtr block_of(size_t bytes) const override {
    now += static_cast<int64_t>(bytes);
    most = std::max(most, now);
    auto* block = new Block{c10::GetDefaultCPUAllocator()->allocate(bytes), static_cast<int64_t>(bytes)};
    return {block->data.get(), block, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  static inline int64_t now = 0, most = 0;

 private:
  struct Block {
    c10::DataPtr data;
    int64_t bytes;
  };
  static void release(void* block) {
    now -= static_cast<Block*>(block)->bytes;
    delete static_cast<Block*>(block);
  }
};

struct Case {
  const char* name;
  std::function<void(TrainOptions&)> options = [](TrainOptions&) {};
  Json changes = Json::object();  // of the model
  bool lora = true;
};

ModelConfig config_of(const Json& changes) {
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"vocab_size", 600},
               {"hidden_size", 64},
               {"intermediate_size", 160},
               {"num_hidden_layers", 6},
               {"num_attention_heads", 4},
               {"num_key_value_heads", 2},
               {"head_dim", 16},
               {"max_position_embeddings", 512},
               {"rms_norm_eps", 1e-5},
               {"rope_theta", 10000.0},
               {"tie_word_embeddings", true},
               {"hidden_act", "silu"}};
  json.update(changes);
  return parse_config(json, "test");
}

// A step of four passes over 900 tokens, a third of them learned.
std::vector<Sample> samples() {
  std::vector<Sample> list(12);
  for (size_t i = 0; i < list.size(); ++i) {
    list[i].ids.assign(300, static_cast<int32_t>(i + 5));
    list[i].supervised.assign(300, 0);
    for (size_t t = 200; t < 300; ++t) list[i].supervised[t] = 1;
  }
  return list;
}

void expect_foretold(const Case& c, bool recompute, int64_t common = 0) {
  set_num_threads(1);
  TrainOptions options = quick();
  options.lora.dropout = 0;
  options.per_device_train_batch_size = 3;
  options.gradient_accumulation_steps = 4;
  options.cutoff_len = 300;
  options.gradient_checkpointing = recompute;
  c.options(options);
  const ModelConfig config = config_of(c.changes);
  LoadOptions load;
  load.device = "cpu";
  Model model = init_model(config, 1, load);
  Adapter adapter;
  if (c.lora) adapter = init_adapter(model, options.lora, 1);
  std::vector<Sample> all = samples();
  for (Sample& sample : all) std::fill_n(sample.ids.begin(), common, 3);
  std::vector<const Sample*> step;
  for (const Sample& sample : all) step.push_back(&sample);
  Trainer trainer(model, c.lora ? &adapter : nullptr, make_objective(options.objective, {model, model}),
                  options, 4);
  trainer.step(step);  // what is made once

  const Counting counting;
  Counting::now = Counting::most = 0;
  trainer.step(step);
  const auto found = static_cast<double>(Counting::most);

  LoadedShape shape = initial_shape(config, load);
  Adapter shapes;
  if (c.lora) shapes = init_adapter(shape.model, options.lora, 1);
  const MemoryNeed need = foretold_memory(
      {shape.model, c.lora ? &shapes : nullptr, 0, 0}, options,
      pass_shapes(step, tokens_of_pass(options, true), beginnings_of(shape.model)), recompute);
  int64_t values = 0;  // there before: parameters and moments
  for (const auto& [name, tensor] : trainer.state().parameters) values += tensor.numel() * 4;
  int64_t magnitudes = 0;
  for (const auto& [name, pair] : adapter.pairs)
    if (pair.magnitude.defined()) magnitudes += pair.magnitude.numel() * 4;
  const auto foretold = static_cast<double>(need.total() - 3 * values - magnitudes);
  EXPECT_LT(foretold, found * 1.15) << "found " << found;
  EXPECT_GT(foretold, found * 0.95) << "found " << found;
}

const Case kCases[] = {
    {"plain"},
    {"dropout", [](TrainOptions& o) { o.lora.dropout = 0.3; }},
    {"all layers", [](TrainOptions& o) { o.lora.target_modules = {"all-linear"}; }},
    {"dora", [](TrainOptions& o) { o.lora.use_dora = true, o.lora.target_modules = {"all-linear"}; }},
    {"full", [](TrainOptions&) {}, Json::object(), false},
    {"full, in one pass", [](TrainOptions& o) { o.pass_tokens = 3600; }, Json::object(), false},
    {"heads that are normalised",
     [](TrainOptions&) {},
     {{"architectures", {"Qwen3ForCausalLM"}}, {"model_type", "qwen3"}}},
    {"fused projections",
     [](TrainOptions& o) { o.lora.target_modules = {"qkv_proj"}; },
     {{"architectures", {"Phi3ForCausalLM"}}, {"model_type", "phi3"}}},
    {"mixture of experts",
     [](TrainOptions&) {},
     {{"architectures", {"Qwen3MoeForCausalLM"}},
      {"model_type", "qwen3_moe"},
      {"num_experts", 4},
      {"num_experts_per_tok", 2},
      {"moe_intermediate_size", 80}}},
};

TEST(Memory, IsWhatTensorsTake) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    expect_foretold(c, false);
  }
}

TEST(Memory, IsWhatTensorsTakeWithRecomputation) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    expect_foretold(c, true);
  }
}

TEST(Memory, OfSamplesThatBeginAlike) {
  for (const int64_t common : {100, 199}) {
    SCOPED_TRACE(common);
    expect_foretold(kCases[0], false, common);
    expect_foretold(kCases[0], true, common);
  }
}

TEST(Memory, RecomputationTakesLess) {
  LoadedShape shape = initial_shape(config_of(Json::object()), {"cpu"});
  const TrainOptions options = quick();
  const Adapter adapter = init_adapter(shape.model, options.lora, 1);
  const std::vector<PassShape> passes = {{400, 20, true}, {900, 300, false}};
  const auto need = [&](bool recompute) {
    return foretold_memory({shape.model, &adapter, 1000, 50}, options, passes, recompute);
  };
  EXPECT_LT(need(true).activations, need(false).activations / 2);
  EXPECT_EQ(need(true).weights, 1000);
  EXPECT_EQ(need(true).process, 50);
}

TEST(Memory, PassesAreThoseOfTraining) {
  const std::vector<Sample> all = samples();
  std::vector<const Sample*> step;
  for (const Sample& sample : all) step.push_back(&sample);
  const auto shapes = pass_shapes(step, 700);
  const auto batches = micro_batches(step, 700, at::kCPU);
  ASSERT_EQ(shapes.size(), batches.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    EXPECT_EQ(shapes[i].tokens, batches[i].tokens.ids.numel());
    EXPECT_EQ(shapes[i].targets, batches[i].targets.numel());
    EXPECT_EQ(shapes[i].first, i == 0);
  }
}

}  // namespace
}  // namespace sdft
