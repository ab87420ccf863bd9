// Adapters that PEFT made, in and out again (../shared/fixtures/peft).
#include "model/lora.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "model/safetensors.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::fixture;
using testing::ScratchDir;

class PeftAdapter : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    dir_ = fixture("peft/made_by_peft_0.9.0/stories260k-hf") / GetParam();
    REQUIRE_FIXTURE(dir_);
    model_ = load_model(fixture("weights/stories260k-hf"), {"cpu", "f32"});
    golden_ = read_json(dir_ / "golden.json");
  }

  // The last token's logits of each prompt; the fixture has them with seven digits.
  void expect_logits(ModelView model, const std::string& key, double tolerance) {
    at::NoGradGuard no_grad;
    const auto prompts = golden_["prompts"].get<std::vector<std::vector<int32_t>>>();
    for (size_t i = 0; i < prompts.size(); ++i) {
      const Tensor hidden = forward(model, pack({prompts[i]}, at::kCPU));
      const Tensor got = logits(model, hidden.narrow(0, hidden.size(0) - 1, 1)).squeeze(0);
      const auto want = golden_[key][i].get<std::vector<float>>();
      EXPECT_LT((got - at::tensor(at::ArrayRef<float>(want))).abs().max().item<double>(), tolerance) << i;
    }
  }

  std::filesystem::path dir_;
  Model model_;
  Json golden_;
};

TEST_P(PeftAdapter, LogitsAndMergedLogits) {
  const Adapter adapter = load_adapter(model_, dir_);
  expect_logits({model_, &adapter}, "logits_adapter", 1e-4);
  merge_adapter(model_, adapter);
  expect_logits(model_, "logits_merged", 1e-4);
}

TEST_P(PeftAdapter, ComesOutAsItCameIn) {
  ScratchDir out;
  save_adapter(load_adapter(model_, dir_), out.path(), "stories260k-hf");
  const SafetensorsFile before(dir_ / "adapter_model.safetensors"),
      after(out.path() / "adapter_model.safetensors");
  EXPECT_THAT(after.names(), ::testing::UnorderedElementsAreArray(before.names()));
  for (const std::string& name : before.names()) EXPECT_TRUE(before.get(name).equal(after.get(name))) << name;
  // Every key is one that PEFT 0.9 knows, which stops at others.
  const Json theirs = read_json(dir_ / "adapter_config.json"),
             ours = read_json(out.path() / "adapter_config.json");
  for (const auto& item : ours.items()) EXPECT_TRUE(theirs.contains(item.key())) << item.key();
  const Adapter again = load_adapter(model_, out.path());
  expect_logits({model_, &again}, "logits_adapter", 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PeftAdapter,
                         ::testing::Values("all-linear", "layers-to-transform", "r4-all", "r8-qv",
                                           "rank-alpha-pattern", "regex-layers", "rslora-r4"));

TEST(Adapter, LayersThatAreOnlySomeKeepTheirNames) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  LoraConfig config;
  config.target_modules = {"model.layers.1.self_attn.q_proj"};
  ScratchDir dir;
  save_adapter(init_adapter(model, config, 1), dir.path(), "base");
  EXPECT_EQ(read_json(dir / "adapter_config.json")["target_modules"],
            Json::parse(R"(["model.layers.1.self_attn.q_proj"])"));
  EXPECT_EQ(load_adapter(model, dir.path()).config.target_modules, config.target_modules);
}

TEST(Adapter, IsFoundInAVariantsFolder) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  ScratchDir variant;
  EXPECT_THAT([&] { load_adapter(model, variant.path()); }, ::testing::Throws<Error>());
  save_adapter(init_adapter(model, LoraConfig(), 1), variant / "adapter", "base");
  EXPECT_EQ(load_adapter(model, variant.path()).pairs.size(),
            load_adapter(model, variant / "adapter").pairs.size());
}

// PEFT's modules_to_save: whole weights beside the low-rank updates.
TEST(Adapter, WholeWeightsStandBesideTheModelsOwn) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  at::NoGradGuard no_grad;
  const PackedTokens tokens = pack({{1, 2, 3}}, at::kCPU);
  const Tensor before = logits(model, forward(model, tokens)).clone();
  LoraConfig config;
  config.target_modules = {"q_proj"};
  Adapter adapter = init_adapter(model, config, 1);
  adapter.replaced["lm_head.weight"] = model.lm_head * 2;
  ScratchDir dir;
  save_adapter(adapter, dir.path(), "base");
  EXPECT_EQ(read_json(dir / "adapter_config.json")["modules_to_save"], Json::parse(R"(["lm_head"])"));
  const Adapter loaded = load_adapter(model, dir.path());
  const ModelView tuned(model, &loaded);
  EXPECT_TRUE(logits(tuned, forward(tuned, tokens)).allclose(2 * before));
  EXPECT_TRUE(logits(model, forward(model, tokens)).equal(before));
  // Merged, an embedding and a head that were tied no longer are.
  const bool tied = model.config.tie_word_embeddings;
  merge_adapter(model, loaded);
  ScratchDir merged;
  save_model(model, merged.path(), "", at::kFloat);
  const Model again = load_model(merged.path(), {"cpu", "f32"});
  EXPECT_TRUE(logits(again, forward(again, tokens)).allclose(2 * before));
  EXPECT_TRUE(!tied || !again.config.tie_word_embeddings);
}

// PEFT adds the embedding and the head where tokens were added, without a word in modules_to_save.
TEST(Adapter, TheVocabularyMayComeAlong) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  LoraConfig config;
  Adapter adapter = init_adapter(model, config, 1);
  ScratchDir dir;
  save_adapter(adapter, dir.path(), "base");
  const SafetensorsFile file(dir / "adapter_model.safetensors");
  NamedTensors tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.get(name).clone());
  tensors.emplace_back("base_model.model.lm_head.weight", model.lm_head * 2);
  write_safetensors(dir / "adapter_model.safetensors", tensors, {});
  const Adapter loaded = load_adapter(model, dir.path());
  EXPECT_TRUE(loaded.replaced.at("lm_head.weight").equal(model.lm_head * 2));
  EXPECT_EQ(loaded.replaced.size(), model.config.tie_word_embeddings ? 2u : 1u);
}

// Writes an adapter folder with these changes in adapter_config.json; the error of loading it, "" for none.
std::string load_error(Model& model, const Json& changes) {
  ScratchDir dir;
  LoraConfig config;
  config.target_modules = {"q_proj"};
  save_adapter(init_adapter(model, config, 1), dir.path(), "base");
  Json json = read_json(dir / "adapter_config.json");
  json.update(changes);
  write_file_atomic(dir / "adapter_config.json", json.dump());
  try {
    load_adapter(model, dir.path());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "";
}

TEST(Adapter, WhatIsNotSupportedIsNamed) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  const std::vector<std::pair<const char*, const char*>> refused = {
      {R"({"use_dora": true})", "lora_magnitude_vector"},
      {R"({"use_bdlora": {"nblocks": 2}})", "use_bdlora"},
      {R"({"layer_replication": [[0, 2], [1, 3]]})", "layer_replication"},
      {R"({"bias": "all"})", "bias"},
      {R"({"peft_type": "LOHA"})", "LOHA"},
      {R"({"init_lora_weights": "pissa_niter_16"})", "pissa_niter_16"},
      {R"({"alpha_pattern": {"q_proj[": 4}})", "q_proj["},
      {R"({"alpha_pattern": {"q_proj": "4"}})", "alpha_pattern 'q_proj'"},
      {R"({"alpha_pattern": {"q_proj": 1e300}})", "beyond all range"},
      // Takes for ever, or all the stack, where nothing limits the search.
      {R"({"alpha_pattern": {"(.*.*.*.*.*.*.*.*.*.*.*)*(x+x+)+y": 4}})", "alpha_pattern"},
      {R"({"lora_alpha": 1e300})", "beyond all range"},
      {R"({"lora_dropout": -1})", "lora_dropout"},
      {R"({"r": 0})", "'r'"}};
  for (const auto& [changes, name] : refused)
    EXPECT_THAT(load_error(model, Json::parse(changes)), ::testing::HasSubstr(name));
  for (const char* changes :
       {R"({"use_dora": false, "lora_bias": null, "layer_replication": []})",
        R"({"init_lora_weights": "gaussian", "peft_version": "0.20.0", "exclude_modules": null})"})
    EXPECT_EQ(load_error(model, Json::parse(changes)), "");
}

TEST(Adapter, NumbersThatAreNotFiniteAreNamed) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  LoraConfig config;
  config.target_modules = {"q_proj"};
  const double wrong[] = {std::nan(""), INFINITY, -INFINITY};
  for (const double value : wrong)
    for (const bool whole : {false, true}) {
      Adapter adapter = init_adapter(model, config, 1);
      if (whole) adapter.replaced["lm_head.weight"] = model.lm_head.clone();
      ScratchDir dir;
      save_adapter(adapter, dir.path(), "base");
      NamedTensors tensors;
      {
        const SafetensorsFile file(dir / "adapter_model.safetensors");
        for (const std::string& name : file.names()) tensors.emplace_back(name, file.get(name).clone());
      }
      for (auto& [name, tensor] : tensors)
        if (name.find(whole ? "lm_head" : "layers.0.self_attn.q_proj.lora_B") != std::string::npos)
          tensor[0][0] = value;
      write_safetensors(dir / "adapter_model.safetensors", tensors);
      try {
        load_adapter(model, dir.path());
        ADD_FAILURE() << value;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kInput);
        EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr(whole ? "lm_head" : "q_proj.lora_B"),
                                                   ::testing::HasSubstr("not finite")));
      }
    }
}

TEST(Adapter, NumbersThatAreNotFiniteAreNotWritten) {
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  Adapter adapter = init_adapter(model, LoraConfig(), 1);
  adapter.pairs.begin()->second.a[0][0] = std::nan("");
  ScratchDir dir;
  EXPECT_THROW(save_adapter(adapter, dir / "adapter", "base"), Error);
  EXPECT_FALSE(std::filesystem::exists(dir / "adapter"));
}

TEST(Adapter, SettingsAreCheckedBeforeTheWeightsAreThere) {
  const ModelConfig model = read_config(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed");
  auto error_of = [&](const LoraConfig& config) -> std::string {
    try {
      check_lora(model, config);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
  };
  LoraConfig config;
  EXPECT_EQ(error_of(config), "");
  config.rank = 1'000'000'000;
  EXPECT_THAT(error_of(config), ::testing::HasSubstr("model.layers.0.self_attn.q_proj"));
  config = LoraConfig();
  config.alpha = INFINITY;
  EXPECT_THAT(error_of(config), ::testing::HasSubstr("lora_alpha"));
  config = LoraConfig();
  config.dropout = std::nan("");
  EXPECT_THAT(error_of(config), ::testing::HasSubstr("lora_dropout"));
  config = LoraConfig();
  config.target_modules = {"nothing"};
  EXPECT_THAT(error_of(config), ::testing::HasSubstr("nothing"));
}

// Configurations as PEFT's own repository has them.
TEST(Adapter, ConfigurationsInTheWild) {
  const auto dir = fixture("peft/configs");
  REQUIRE_FIXTURE(dir);
  Model model = load_model(std::filesystem::path(SDFT_SOURCE_DIR) / "assets/mini-seed", {"cpu", "f32"});
  const std::map<std::string, std::string> refused = {
      {"mlp-bdlora", "use_bdlora is not supported"},
      {"rank32-dora", "use_dora is set, and each layer has its magnitude"}};
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    const std::string name = entry.path().filename().string(), error = load_error(model, read_json(entry));
    ++files;
    std::string wanted;
    for (const auto& [part, text] : refused)
      if (name.find(part) != std::string::npos) wanted = text;
    if (wanted.empty()) {
      EXPECT_EQ(error, "") << name;
    } else {
      EXPECT_THAT(error, ::testing::HasSubstr(wanted)) << name;
    }
  }
  EXPECT_GE(files, 6u);
}

}  // namespace
}  // namespace sdft
