// Adapters of every kind against PEFT's newest: what tools/peft-fixtures wrote down.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "infer/small_model.h"
#include "model/gguf_export.h"
#include "model/lora.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ScratchDir;
using testing::small_model;
const fs::path kFixtures = fs::path(SDFT_SOURCE_DIR) / "tests/model/peft";

Tensor numbers(const Json& json) {
  const auto values = json.get<std::vector<float>>();
  return at::tensor(at::ArrayRef<float>(values));
}

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

class Peft : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    model_ = load_model(fs::path(SDFT_SOURCE_DIR) / "tests/train/trl/model", {"cpu", "f32"});
    if (std::string(GetParam()).find("tied") != std::string::npos) {
      model_.lm_head = model_.embed;
      model_.config.tie_word_embeddings = true;
      model_.config.json["tie_word_embeddings"] = true;
    }
    const Json all = read_json(kFixtures / "cases.json");
    items_ = all["items"].get<std::vector<std::vector<int32_t>>>();
    case_ = all["cases"][GetParam()];
  }
  fs::path dir() const { return kFixtures / GetParam(); }

  void expect_logits(ModelView view, const char* key) const {
    at::NoGradGuard no_grad;
    const Tensor got = logits(view, forward(view, pack(items_, at::kCPU))).flatten(),
                 want = numbers(case_[key]);
    ASSERT_EQ(got.numel(), want.numel());
    EXPECT_LT(largest(got - want), 2e-5) << key;
  }

  // The mean over all predicted tokens, by what a loss sees and not by logits().
  Tensor loss_of(ModelView view) const {
    std::vector<int64_t> rows, targets;
    int64_t begin = 0;
    for (const auto& ids : items_) {
      for (size_t t = 1; t < ids.size(); ++t) {
        rows.push_back(begin + static_cast<int64_t>(t) - 1);
        targets.push_back(ids[t]);
      }
      begin += static_cast<int64_t>(ids.size());
    }
    const Tensor hidden = forward(view, pack(items_, at::kCPU))
                              .index_select(0, at::tensor(at::ArrayRef<int64_t>(rows), at::kLong));
    const ops::Head head = head_of(view, hidden);
    const auto n = static_cast<int64_t>(rows.size());
    return ops::linear_cross_entropy(head.hidden, head.weight,
                                     at::tensor(at::ArrayRef<int64_t>(targets), at::kLong),
                                     at::full({n}, 1.0 / static_cast<double>(n)), head.cap);
  }

  void expect_gradients(Adapter& adapter) {
    std::map<std::string, Tensor> parameters;
    for (auto& [name, pair] : adapter.pairs) {
      parameters[name + ".lora_A"] = pair.a;
      parameters[name + ".lora_B"] = pair.b;
      if (pair.magnitude.defined()) parameters[name + ".lora_magnitude_vector"] = pair.magnitude;
    }
    for (auto& [name, weight] : adapter.replaced) parameters[name] = weight;
    for (auto& [name, tensor] : parameters) tensor.requires_grad_(true);
    const Tensor loss = loss_of({model_, &adapter});
    EXPECT_NEAR(loss.item<double>(), case_["loss"].get<double>(), 2e-6);
    loss.backward();
    ASSERT_EQ(parameters.size(), case_["gradients"].size());
    for (const auto& [name, tensor] : parameters) {
      ASSERT_TRUE(case_["gradients"].contains(name)) << name;
      const Tensor want = numbers(case_["gradients"][name]), got = tensor.grad().flatten();
      ASSERT_EQ(got.numel(), want.numel()) << name;
      EXPECT_LT(largest(got - want), 2e-5 * largest(want) + 1e-9) << name;
    }
  }

  Model model_;
  std::vector<std::vector<int32_t>> items_;
  Json case_;
};

TEST_P(Peft, LogitsAndMergedLogits) {
  const Adapter adapter = load_adapter(model_, dir());
  expect_logits({model_, &adapter}, "logits");
  merge_adapter(model_, adapter);
  expect_logits(model_, "merged");
}

TEST_P(Peft, LossAndGradients) {
  Adapter adapter = load_adapter(model_, dir());
  if (GetParam() == std::string("pissa"))  // as it was trained: half of the rank is the beginning
    for (auto& [name, pair] : adapter.pairs) {
      const int64_t r = pair.a.size(0) / 2;
      pair.a0 = pair.a.narrow(0, r, r).clone();
      pair.b0 = -pair.b.narrow(1, r, r).clone();
      pair.a = pair.a.narrow(0, 0, r).clone();
      pair.b = pair.b.narrow(1, 0, r).clone();
    }
  expect_logits({model_, &adapter}, "logits");
  expect_gradients(adapter);
}

TEST_P(Peft, ComesOutAsItCameIn) {
  ScratchDir out;
  save_adapter(load_adapter(model_, dir()), out.path(), "base");
  const SafetensorsFile before(dir() / "adapter_model.safetensors"), after(out / "adapter_model.safetensors");
  std::vector<std::string> names;
  for (const std::string& name : before.names())
    if (name.find(".base_layer.") == std::string::npos) names.push_back(name);  // the model's own weights
  EXPECT_THAT(after.names(), ::testing::UnorderedElementsAreArray(names));
  for (const std::string& name : names) EXPECT_TRUE(before.get(name).equal(after.get(name))) << name;
  const Json theirs = read_json(dir() / "adapter_config.json"), ours = read_json(out / "adapter_config.json");
  for (const auto& [key, value] : ours.items()) EXPECT_TRUE(theirs.contains(key)) << key;
  for (const char* key : {"r", "lora_alpha", "use_dora", "use_rslora", "init_lora_weights"})
    EXPECT_EQ(ours[key], theirs[key]) << key;
  const Adapter again = load_adapter(model_, out.path());
  expect_logits({model_, &again}, "logits");
}

// A token at a time against a cache, next to the other sequences' tokens.
TEST_P(Peft, CachedIsUncached) {
  at::NoGradGuard no_grad;
  const Adapter adapter = load_adapter(model_, dir());
  const ModelView view(model_, &adapter);
  for (const auto& ids : items_) {
    const Tensor whole = logits(view, forward(view, pack({ids}, at::kCPU)));
    KvCache cache = make_cache(model_, 1, 16);
    for (size_t t = 0; t < ids.size(); ++t) {
      const Tensor hidden = forward_cached(view, at::tensor({static_cast<int64_t>(ids[t])}, at::kLong),
                                           {{1, 0, static_cast<int64_t>(t) + 1}}, cache);
      EXPECT_LT(largest(logits(view, hidden)[0] - whole[static_cast<int64_t>(t)]), 2e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Peft,
                         ::testing::Values("dora", "dora_all", "patterns", "rslora", "vocabulary",
                                           "vocabulary_tied", "head", "saved", "saved_tied", "pissa"));

// One layer of DoRA in training, where PEFT drops every second number of its input.
TEST(Dora, DropoutIsOnWhatTrainingAdds) {
  auto count = [](int64_t n) { return at::arange(n, at::kFloat); };
  const Tensor x = count(24).reshape({3, 8}) / 10 - 1, weight = count(48).reshape({6, 8}).sin(),
               bias = count(6) / 6;
  LoraPair pair{count(16).reshape({2, 8}).cos(), count(12).reshape({6, 2}).cos(), 2.0};
  pair.magnitude = count(6) + 1;
  pair.norm = (weight + 2 * at::mm(pair.b, pair.a)).norm(2, {1});
  const Tensor seen = x * 2 * count(24).reshape({3, 8}).remainder(2);
  const Tensor want =
      numbers(read_json(kFixtures / "cases.json")["cases"]["dora"]["dropped"]).reshape({3, 6});
  EXPECT_LT(largest(adapted(at::linear(x, weight, bias), {"q", weight, bias}, pair, x, seen) - want), 1e-5);
  // Without dropout it is the merged layer.
  const Tensor merged = dora_factor(pair).unsqueeze(1) * (weight + 2 * at::mm(pair.b, pair.a));
  EXPECT_LT(largest(adapted(at::linear(x, weight, bias), {"q", weight, bias}, pair, x, x) -
                    at::linear(x, merged, bias)),
            1e-5);
}

// On the head a loss gets it as one product; with the mask that the dropout's key gives.
TEST(Dora, OnTheHeadALossSeesTheSameAsALayer) {
  Model model = small_model();
  for (const bool dora : {false, true}) {
    LoraConfig config;
    config.target_modules = {"lm_head"};
    config.use_dora = dora;
    Adapter adapter = init_adapter(model, config, 3);
    LoraPair& pair = adapter.pairs.at("lm_head");
    pair.b.normal_();
    if (dora) pair.magnitude *= 1.5;
    refresh_norms(model, adapter);
    const Tensor hidden = at::randn({5, model.config.hidden_size});
    const ForwardOptions options{{0.4, 77}};
    const Tensor seen = ops::dropout(hidden, 0.4, 77 * 0x9e3779b97f4a7c15ull + ~uint64_t{0});
    const ops::Head head = head_of({model, &adapter}, hidden, options);
    EXPECT_LT(largest(at::mm(head.hidden, head.weight.t()) - adapted(at::linear(hidden, model.lm_head),
                                                                     {"lm_head", model.lm_head, {}}, pair,
                                                                     hidden, seen)),
              2e-4 * largest(hidden));
  }
}

TEST(Dora, BeginsAsTheModel) {
  Model model = small_model();
  at::NoGradGuard no_grad;
  LoraConfig config;
  config.use_dora = true;
  config.target_modules = {"all-linear", "embed_tokens", "lm_head"};
  const Adapter adapter = init_adapter(model, config, 3);
  EXPECT_EQ(adapter.pairs.size(), 7 * model.layers.size() + 2);
  const ModelView view(model, &adapter);
  const PackedTokens tokens = pack({{1, 2, 3}}, at::kCPU);
  EXPECT_LT(largest(logits(view, forward(view, tokens)) - logits(model, forward(model, tokens))), 1e-4);
}

// The weights stay as they are, so that what the adapter adds is nothing at first.
TEST(Pissa, BeginsAsTheModelWithTheStrongestDirections) {
  Model model = small_model();
  at::NoGradGuard no_grad;
  LoraConfig config;
  config.init = "pissa";
  config.rank = 4;
  config.target_modules = {"q_proj"};
  config.use_rslora = true;
  const Adapter adapter = init_adapter(model, config, 3);
  const ModelView view(model, &adapter);
  const PackedTokens tokens = pack({{1, 2, 3}}, at::kCPU);
  EXPECT_TRUE(forward(view, tokens).equal(forward(model, tokens)));
  const LoraPair& pair = adapter.pairs.at("model.layers.0.self_attn.q_proj");
  const Tensor weight = model.layers[0].q.weight.to(at::kDouble);
  const Tensor left = weight - pair.scale * at::mm(pair.b, pair.a).to(at::kDouble);
  const Tensor strengths = std::get<1>(at::linalg_svd(weight, false));
  // What is left has the other strengths.
  EXPECT_NEAR(left.norm().item<double>(), strengths.narrow(0, 4, strengths.size(0) - 4).norm().item<double>(),
              1e-5);
  ScratchDir dir;
  save_adapter(adapter, dir.path(), "base");
  const Json json = read_json(dir / "adapter_config.json");
  EXPECT_EQ(json["r"], 8);
  EXPECT_EQ(json["init_lora_weights"], true);
  const Adapter loaded = load_adapter(model, dir.path());
  EXPECT_NEAR(loaded.pairs.begin()->second.scale, pair.scale, 1e-12);
}

TEST(Patterns, TheFirstThatMatchesCounts) {
  Model model = small_model();
  LoraConfig config;
  config.target_modules = {"q_proj", "k_proj", "down_proj"};
  config.rank_pattern = {{"layers.0.*", 2}, {"q_proj|down_proj", 5}};
  config.alpha_pattern = {{"down_proj", 32}};
  const Adapter adapter = init_adapter(model, config, 3);
  auto rank = [&](const char* name) { return adapter.pairs.at(name).a.size(0); };
  EXPECT_EQ(rank("model.layers.0.self_attn.q_proj"), 2);
  EXPECT_EQ(rank("model.layers.1.self_attn.q_proj"), 5);
  EXPECT_EQ(rank("model.layers.1.self_attn.k_proj"), 8);
  EXPECT_EQ(adapter.pairs.at("model.layers.1.mlp.down_proj").scale, 32.0 / 5);
  EXPECT_EQ(adapter.pairs.at("model.layers.1.self_attn.q_proj").scale, 16.0 / 5);
  ScratchDir dir;
  save_adapter(adapter, dir.path(), "base");
  const Adapter loaded = load_adapter(model, dir.path());
  for (const auto& [name, pair] : adapter.pairs) {
    EXPECT_EQ(loaded.pairs.at(name).scale, pair.scale) << name;
    EXPECT_TRUE(loaded.pairs.at(name).a.equal(pair.a)) << name;
  }
}

TEST(Settings, AllProblemsAtOnce) {
  const ModelConfig model = testing::small_config();
  LoraConfig config;
  config.rank = 25;
  config.dropout = 2;
  config.init = "pissa";
  config.use_dora = true;
  config.target_modules = {"q_proj", "embed_tokens", "q_prj"};
  config.rank_pattern = {{"v_proj", 4}, {"q_proj", 2.5}};
  config.modules_to_save = {"embed_tokens", "norm"};
  try {
    check_lora(model, config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    for (const char* part :
         {"lora_dropout is 2", "lora_target 'q_prj' is no linear layer", "embed_tokens, gate_proj",
          "rank_pattern 'v_proj' matches none", "rank_pattern 'q_proj' is 2.5", "at most rank 24",
          "modules_to_save 'embed_tokens' is trained whole", "modules_to_save 'norm' is not supported",
          "pissa cannot stand beside use_dora", "pissa does not begin embed_tokens"})
      EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

// The error of loading a DoRA adapter whose tensors were changed, "" for none.
std::string error_with(const std::function<void(std::map<std::string, Tensor>&, Json&)>& change) {
  Model model = load_model(fs::path(SDFT_SOURCE_DIR) / "tests/train/trl/model", {"cpu", "f32"});
  ScratchDir dir;
  Json json = read_json(kFixtures / "dora_all/adapter_config.json");
  std::map<std::string, Tensor> tensors;
  const SafetensorsFile file(kFixtures / "dora_all/adapter_model.safetensors");
  for (const std::string& name : file.names()) tensors[name] = file.get(name).clone();
  change(tensors, json);
  write_safetensors(dir / "adapter_model.safetensors", {tensors.begin(), tensors.end()});
  write_json(dir / "adapter_config.json", json);
  try {
    load_adapter(model, dir.path());
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
}

TEST(Malformed, IsToldByName) {
  const std::string head = "base_model.model.lm_head.", embed = "base_model.model.model.embed_tokens.";
  const auto error = [](const auto& change) { return error_with(change); };
  using Tensors = std::map<std::string, Tensor>;
  EXPECT_EQ(error([](Tensors&, Json&) {}), "");
  // As PEFT holds it while it trains.
  EXPECT_EQ(error([&](Tensors& t, Json&) {
              t[head + "lora_magnitude_vector.weight"] = t.at(head + "lora_magnitude_vector");
              t.erase(head + "lora_magnitude_vector");
            }),
            "");
  EXPECT_THAT(error([&](Tensors& t, Json&) { t.erase(head + "lora_magnitude_vector"); }),
              HasSubstr("lacks 'lm_head.lora_magnitude_vector': use_dora is set"));
  EXPECT_THAT(error([&](Tensors& t, Json&) { t[embed + "lora_magnitude_vector"] = at::ones({61}); }),
              HasSubstr("model.embed_tokens has 24 outputs here, its magnitude is [61]"));
  EXPECT_THAT(error([&](Tensors&, Json& json) { json["use_dora"] = false; }),
              HasSubstr("use_dora is not set"));
  EXPECT_THAT(error([&](Tensors& t, Json&) { t.erase(embed + "lora_embedding_B"); }),
              HasSubstr("lacks 'model.embed_tokens.lora_embedding_B'"));
  EXPECT_THAT(error([&](Tensors& t, Json&) { t[embed + "base_layer.weight"] += 1; }),
              HasSubstr("base_layer.weight' is not this model's weight"));
  EXPECT_THAT(error([&](Tensors& t, Json&) {
                t[head + "base_layer.weight"] = at::ones({62, 24});
              }),
              HasSubstr("is not this model's weight"));
  EXPECT_THAT(error([&](Tensors& t, Json&) { t[head + "lora_magnitude_vector"][3] = std::nan(""); }),
              HasSubstr("not finite"));
}

TEST(GgufAdapter, WhatItCannotSayIsRefusedByName) {
  Model model = small_model();
  ScratchDir dir;
  for (const auto& [targets, dora, name] :
       std::vector<std::tuple<std::vector<std::string>, bool, std::string>>{
           {{"q_proj"}, true, "use_dora"},
           {{"lm_head"}, false, "lm_head"},
           {{"embed_tokens"}, false, "embed_tokens"}}) {
    LoraConfig config;
    config.target_modules = targets;
    config.use_dora = dora;
    try {
      write_gguf_adapter(init_adapter(model, config, 1), model.config, gguf_mixture("f32"), dir / "a.gguf");
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::AllOf(HasSubstr(name), HasSubstr("sdft merge")));
    }
  }
}

}  // namespace
}  // namespace sdft
