// Tiny models of every architecture and rope variant, against the logits of Transformers (tests/fixtures).
#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "model/lora.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {

const std::filesystem::path kFixtures =
    std::filesystem::path(SDFT_SOURCE_DIR) / "tests/fixtures/architectures";

struct Rows {
  std::vector<std::vector<int32_t>> ids;
  std::vector<Tensor> logits;  // [T, V]
};

Rows read_rows(const std::filesystem::path& dir) {
  const SafetensorsFile file(dir / "expected.safetensors");
  Rows rows;
  for (const char* row : {"0", "1"}) {
    const Tensor ids = file.get(std::string("ids.") + row).to(at::kInt).contiguous();
    rows.ids.emplace_back(ids.data_ptr<int32_t>(), ids.data_ptr<int32_t>() + ids.numel());
    rows.logits.push_back(file.get(std::string("logits.") + row).clone());
  }
  return rows;
}

double relative_error(const Tensor& got, const Tensor& want) {
  return (got - want).abs().max().item<double>() / want.abs().max().item<double>();
}

class SmallArchitecture : public ::testing::TestWithParam<std::string> {
 protected:
  const std::filesystem::path dir_ = kFixtures / GetParam();
  Model model_ = load_model(dir_, {"cpu", "f32"});
  const Rows rows_ = read_rows(dir_);
  at::NoGradGuard no_grad_;
};

// Both rows in one pack: neither sees the other.
TEST_P(SmallArchitecture, Logits) {
  const Tensor got = logits(model_, forward(model_, pack(rows_.ids, at::kCPU)));
  int64_t begin = 0;
  for (const Tensor& want : rows_.logits) {
    EXPECT_LT(relative_error(got.narrow(0, begin, want.size(0)), want), 1e-5);
    begin += want.size(0);
  }
}

// The composed operations that GPUs and bf16 use give the same as the CPU's kernels.
TEST_P(SmallArchitecture, LogitsWithAGradient) {
  at::AutoGradMode enabled(true);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  const Tensor got = logits(model_, forward(model_, pack({rows_.ids[0]}, at::kCPU)));
  EXPECT_LT(relative_error(got.detach(), rows_.logits[0]), 1e-5);
}

// Token by token from a cache. Where a sequence crosses the length at which its angles change, the earlier
// keys keep theirs (as in Transformers), so that only what comes before is the same.
TEST_P(SmallArchitecture, CachedLogits) {
  const std::vector<int32_t>& ids = rows_.ids[0];
  const auto count = static_cast<int64_t>(ids.size());
  const int64_t same = model_.rope.trained > 0 ? std::min(model_.rope.trained, count) : count;
  KvCache cache = make_cache(model_, 2, static_cast<int64_t>(ids.size()));
  const Tensor whole = logits(model_, forward(model_, pack({{ids.begin(), ids.begin() + same}}, at::kCPU)));
  for (int64_t done = 0; done < same;) {
    const int64_t step = done == 0 ? std::min<int64_t>(5, same) : 1;
    std::vector<int64_t> next(ids.begin() + done, ids.begin() + done + step);
    const Tensor hidden = forward_cached(model_, at::tensor(at::ArrayRef<int64_t>(next), at::kLong),
                                         {{step, 1, done + step}}, cache, true);
    done += step;
    EXPECT_LT(relative_error(logits(model_, hidden)[0], whole[done - 1]), 1e-5) << done;
  }
}

TEST_P(SmallArchitecture, SavedAndLoadedAgain) {
  testing::ScratchDir out;
  save_model(model_, out.path(), "", at::kFloat);
  const Model again = load_model(out.path(), {"cpu", "f32"});
  const PackedTokens tokens = pack(rows_.ids, at::kCPU);
  EXPECT_TRUE(logits(again, forward(again, tokens)).equal(logits(model_, forward(model_, tokens))));
  int64_t count = 0;
  for (auto& item : named_parameters(model_)) count += item.second->numel();
  EXPECT_EQ(model_.config.parameters(), count);
}

TEST_P(SmallArchitecture, StartsFromRandomWeights) {
  const Model model = init_model(model_.config, 1, {"cpu", "f32"});
  const Tensor got = logits(model, forward(model, pack(rows_.ids, at::kCPU)));
  EXPECT_TRUE(at::isfinite(got).all().item<bool>());
}

TEST(RandomWeights, AreOneStreamWhateverTheThreads) {
  const Json json = {{"architectures", {"LlamaForCausalLM"}},
                     {"vocab_size", 700},
                     {"hidden_size", 256},
                     {"intermediate_size", 64},
                     {"num_hidden_layers", 1},
                     {"num_attention_heads", 4},
                     {"max_position_embeddings", 64},
                     {"tie_word_embeddings", true}};
  const Model model = init_model(parse_config(json, "test"), 9, {"cpu", "f32"});
  Random random(9, "init model.embed_tokens.weight");
  const Tensor embed = model.embed.contiguous();
  for (int64_t i = 0; i < embed.numel(); ++i)
    ASSERT_EQ(embed.data_ptr<float>()[i], static_cast<float>(random.normal() * 0.02)) << i;
}

// What `sdft inspect` counts without the list of the weights.
TEST_P(SmallArchitecture, CountsItsParameters) {
  int64_t total = 0;
  for (const auto& item : named_parameters(model_)) total += item.second->numel();
  EXPECT_EQ(model_.config.parameters(), total);
}

std::vector<std::string> fixture_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFixtures))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Fixtures, SmallArchitecture, ::testing::ValuesIn(fixture_names()),
                         [](const auto& test) { return test.param; });

TEST(Config, EveryArchitectureHasAFixture) {
  std::set<std::string> tested;
  for (const std::string& name : fixture_names()) tested.insert(read_config(kFixtures / name).architecture);
  EXPECT_THAT(known_architectures(), ::testing::UnorderedElementsAreArray(tested));
}

TEST(Config, AllProblemsAreNamedAtOnce) {
  Json json = read_json(kFixtures / "llama_linear" / "config.json");
  json["hidden_size"] = "many";
  json["num_hidden_layers"] = 0;
  json["hidden_act"] = "relu";
  json["rope_parameters"] = {{"rope_type", "spiral"}};
  try {
    parse_config(json, "c");
    FAIL();
  } catch (const Error& error) {
    for (const char* part :
         {"'hidden_size'", "'num_hidden_layers'", "relu", "spiral", "llama3, yarn, longrope"})
      EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  }
  EXPECT_THROW(parse_config(Json::parse(R"({"architectures": ["NoSuchForCausalLM"]})"), "c"), Error);
  EXPECT_THROW(parse_config(Json::array(), "c"), Error);
}

// What config.json does not say is as Transformers' classes have it.
ModelConfig small(const std::string& architecture, const Json& changes) {
  Json json = {{"architectures", {architecture}},
               {"vocab_size", 96},
               {"hidden_size", 32},
               {"intermediate_size", 48},
               {"num_hidden_layers", 4},
               {"num_attention_heads", 4},
               {"num_key_value_heads", 2},
               {"num_experts_per_tok", 2},
               {"num_experts", 4},
               {"moe_intermediate_size", 8},
               {"max_position_embeddings", 64}};
  json.update(changes);
  return parse_config(json, "c");
}

std::vector<int64_t> windows(const ModelConfig& config) {
  std::vector<int64_t> list;
  for (const LayerConfig& layer : config.layers) list.push_back(layer.window);
  return list;
}

TEST(Config, Windows) {
  using List = std::vector<int64_t>;
  const Json asked = {{"use_sliding_window", true}, {"sliding_window", 8}, {"max_window_layers", 2}};
  EXPECT_EQ(windows(small("Qwen2ForCausalLM", asked)), (List{0, 0, 8, 8}));
  EXPECT_EQ(windows(small("Qwen3MoeForCausalLM", asked)), (List{8, 8, 8, 8}));
  // Where positions are not encoded.
  EXPECT_EQ(windows(small("SmolLM3ForCausalLM", asked)), (List{0, 0, 0, 8}));
  Json nope = asked;
  nope["no_rope_layers"] = {1, 0, 1, 0};
  EXPECT_EQ(windows(small("SmolLM3ForCausalLM", nope)), (List{0, 8, 0, 8}));
  EXPECT_EQ(windows(small("MistralForCausalLM", Json::object())), (List{4096, 4096, 4096, 4096}));
  EXPECT_EQ(windows(small("MistralForCausalLM", {{"sliding_window", nullptr}})), (List{0, 0, 0, 0}));
}

TEST(Config, DefaultsOfClasses) {
  EXPECT_EQ(small("Qwen3MoeForCausalLM", Json::object()).head_dim, 8);
  EXPECT_EQ(small("Qwen3ForCausalLM", Json::object()).head_dim, 128);
  const ModelConfig gemma = small("Gemma2ForCausalLM", Json::object());
  EXPECT_EQ(gemma.attention_softcap, 50.0);
  EXPECT_EQ(gemma.final_softcap, 30.0);
  EXPECT_EQ(gemma.attention_scale, 1.0 / 16);
  EXPECT_EQ(small("Gemma2ForCausalLM", {{"final_logit_softcapping", nullptr}}).final_softcap, 0.0);
}

TEST(Config, TrainedLength) {
  const Json yarn = {{"type", "yarn"}, {"factor", nullptr}, {"original_max_position_embeddings", 32}};
  RopeConfig rope = small("LlamaForCausalLM", {{"rope_scaling", yarn}}).rope;
  EXPECT_EQ(rope.original_max_position, 32);
  EXPECT_EQ(rope.factor, 2.0);
  // The number beside the settings counts, not the one in them.
  rope = small("LlamaForCausalLM", {{"rope_scaling", yarn}, {"original_max_position_embeddings", 16}}).rope;
  EXPECT_EQ(rope.original_max_position, 16);
  Json dynamic = yarn;
  dynamic["type"] = "dynamic";
  dynamic["factor"] = 2.0;
  EXPECT_EQ(small("LlamaForCausalLM", {{"rope_scaling", dynamic}}).rope.original_max_position, 64);
  const Json su = {{"type", "yarn"}, {"short_factor", {1, 1, 1, 1}}, {"long_factor", {2, 2, 2, 2}}};
  rope = small("Phi3ForCausalLM", {{"rope_scaling", su}}).rope;
  EXPECT_EQ(rope.type, "longrope");
  EXPECT_EQ(rope.original_max_position, 4096);
}

TEST(Config, WhatWouldBeComputedWronglyIsRefused) {
  const std::vector<std::pair<std::string, Json>> cases = {
      {"partial_rotary_factor", {{"partial_rotary_factor", 0.5}}},
      {"final_logit_softcapping", {{"final_logit_softcapping", 30.0}}},
      {"rope_parameters", {{"rope_parameters", {{"full_attention", Json::object()}}}}},
      {"model_type", {{"model_type", "mistral"}}},
      {"num_hidden_layers", {{"num_hidden_layers", 1000000000000}}},
      {"num_hidden_layers", {{"num_hidden_layers", -1}}},
      {"vocab_size", {{"vocab_size", 1.5}}},
      {"sliding_window", {{"sliding_window", -8}}},
      {"decoder_sparse_step", {{"decoder_sparse_step", 0}}},
      {"original_max_position_embeddings",
       {{"rope_scaling", {{"type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 0}}}}},
      {"rope_theta", {{"rope_theta", true}}},
  };
  const Json typed = {{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}};
  EXPECT_THROW(small("Gemma3ForCausalLM", typed), Error);
  for (const auto& [named, changes] : cases) try {
      small("LlamaForCausalLM", changes);
      ADD_FAILURE() << named;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      EXPECT_THAT(error.what(), ::testing::HasSubstr(named));
    }
}

// As in Transformers: either of two tied weights will do, and two that differ are not tied.
TEST(Weights, TiedOnesAsTheFolderHasThem) {
  const Json changes = {{"tie_word_embeddings", true}, {"num_hidden_layers", 1}};
  Model model = init_model(small("LlamaForCausalLM", changes), 1, {"cpu", "f32"});
  testing::ScratchDir dir;
  save_model(model, dir.path(), "", at::kFloat);
  NamedTensors tensors;
  for (auto& [name, tensor] : named_parameters(model))
    tensors.emplace_back(name == "model.embed_tokens.weight" ? "lm_head.weight" : name, *tensor);
  write_safetensors(dir / "model.safetensors", tensors, {});
  EXPECT_TRUE(load_model(dir.path(), {"cpu", "f32"}).embed.equal(model.embed));
  tensors.emplace_back("model.embed_tokens.weight", model.embed * 2);
  write_safetensors(dir / "model.safetensors", tensors, {});
  const Model apart = load_model(dir.path(), {"cpu", "f32"});
  EXPECT_FALSE(apart.config.tie_word_embeddings);
  EXPECT_TRUE(apart.embed.equal(apart.lm_head * 2));
}

// The text part of Gemma 3 with images: what is written again is a text model, and an adapter has the names
// that PEFT gives it.
TEST(Weights, NestedModel) {
  Model model = load_model(kFixtures / "gemma3_nested", {"cpu", "f32"});
  EXPECT_TRUE(model.config.nested);
  testing::ScratchDir dir, adapter;
  save_model(model, dir.path(), "", at::kFloat);
  EXPECT_FALSE(read_config(dir.path()).nested);
  EXPECT_TRUE(SafetensorsFile(dir / "model.safetensors").has("model.embed_tokens.weight"));
  save_adapter(init_adapter(model, LoraConfig(), 1), adapter.path(), "base");
  EXPECT_TRUE(SafetensorsFile(adapter.path() / "adapter_model.safetensors")
                  .has("base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight"));
  EXPECT_EQ(load_adapter(model, adapter.path()).pairs.size(), 2 * model.layers.size());
  EXPECT_EQ(parse_config(Json::parse(R"({"model_type": "gemma3", "text_config": {"hidden_size": 2560,
      "intermediate_size": 10240, "num_hidden_layers": 34}})"),
                         "c")
                .head_dim,
            256);
}

}  // namespace
}  // namespace sdft
