// Logits, losses, gradients and training trajectories against Transformers and PEFT
// (../shared/fixtures/models).
#include <cmath>

#include "base/json.h"
#include "model/safetensors.h"
#include "testing.h"
#include "train/trainer.h"

namespace sdft {
namespace {
using testing::fixture;

class Reference : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    dir_ = fixture("models/" + GetParam());
    REQUIRE_FIXTURE(dir_);
    set_num_threads(0);
    expected_ = read_json(dir_ / "expected.json");
    model_ = load_model(dir_, {"cpu", "f32"});
    SafetensorsFile file(dir_ / "expected.safetensors");
    ids_ = file.get("input_ids").clone();
    mask_ = file.get("attention_mask").clone();
    labels_ = file.get("labels").clone();
    logits_ = file.get("logits").clone();
    for (int64_t row = 0; row < ids_.size(0); ++row) {
      Sample sample;
      for (int64_t t = 0; t < mask_[row].sum().item<int64_t>(); ++t) {
        sample.ids.push_back(ids_[row][t].item<int32_t>());
        sample.supervised.push_back(labels_[row][t].item<int64_t>() >= 0);
      }
      samples_.push_back(sample);
    }
  }

  // Logits of all rows, packed, against the reference's padded ones [rows, T, V], which may have fewer rows.
  void expect_logits(const Tensor& expected) {
    std::vector<std::vector<int32_t>> rows;
    for (const auto& sample : samples_) rows.push_back(sample.ids);
    at::NoGradGuard no_grad;
    Tensor got = logits(model_, forward(model_, pack(rows, at::kCPU)));
    int64_t begin = 0;
    for (int64_t row = 0; row < expected.size(0); ++row) {
      const int64_t length = static_cast<int64_t>(rows[static_cast<size_t>(row)].size());
      Tensor want = expected[row].narrow(0, 0, length);
      const double error =
          (got.narrow(0, begin, length) - want).abs().max().item<double>() / want.abs().max().item<double>();
      EXPECT_LT(error, 2e-4) << "row " << row;
      begin += length;
    }
  }

  // Steps as the fixture describes them: the same three rows each time.
  void expect_trajectory(const Json& run, AdamW& optimizer, double clip) {
    std::vector<const Sample*> batch;
    for (const auto& sample : samples_) batch.push_back(&sample);
    for (auto& item : optimizer.parameters) item.second.requires_grad_(true);
    for (size_t step = 0; step < run["loss"].size(); ++step) {
      const double loss = accumulate_gradients(model_, batch, 1 << 20, 0.0, 0);
      EXPECT_NEAR(loss, run["loss"][step].get<double>(), 1e-4) << "step " << step;
      const double rate = run.contains("lr") ? run["lr"][step].get<double>() : 1e-3;
      const double norm = optimizer.step(rate, clip);
      if (run.contains("grad_norm_before_clip")) {
        const double want = run["grad_norm_before_clip"][step].get<double>();
        EXPECT_NEAR(norm, want, 1e-3 * want) << "step " << step;
      }
    }
    for (auto& item : optimizer.parameters) item.second.requires_grad_(false);
  }

  void expect_lora(const std::string& name) {
    Adapter adapter = load_adapter(model_, dir_ / (name + "_start"));
    set_adapter(model_, &adapter);
    NamedTensors parameters;
    for (auto& [module, pair] : adapter.pairs) {
      parameters.emplace_back(module + ".a", pair.a);
      parameters.emplace_back(module + ".b", pair.b);
    }
    AdamWOptions options;
    options.weight_decay = 0.01;
    AdamW optimizer(options, parameters);
    expect_trajectory(expected_[name], optimizer, 1.0);
    Adapter end = load_adapter(model_, dir_ / (name + "_end"));
    for (const auto& [module, pair] : end.pairs) {
      EXPECT_LT((adapter.pairs.at(module).a - pair.a).abs().max().item<double>(), 1e-3) << module;
      EXPECT_LT((adapter.pairs.at(module).b - pair.b).abs().max().item<double>(), 1e-3) << module;
    }
  }

  std::filesystem::path dir_;
  Json expected_;
  Model model_;
  Tensor ids_, mask_, labels_, logits_;
  std::vector<Sample> samples_;
};

TEST_P(Reference, Logits) { expect_logits(logits_); }

TEST_P(Reference, LossAndGradients) {
  std::vector<const Sample*> batch;
  for (const auto& sample : samples_) batch.push_back(&sample);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  EXPECT_NEAR(accumulate_gradients(model_, batch, 1 << 20, 0.0, 0), expected_["loss"].get<double>(), 1e-4);
  for (auto& [name, tensor] : named_parameters(model_)) {
    const double want = expected_["grad_norms"].at(name).get<double>();
    EXPECT_NEAR(tensor->grad().norm().item<double>(), want, 1e-3 * want) << name;
  }
}

TEST_P(Reference, LossDoesNotDependOnMicroBatches) {
  std::vector<const Sample*> batch;
  for (const auto& sample : samples_) batch.push_back(&sample);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  EXPECT_NEAR(accumulate_gradients(model_, batch, 1, 0.0, 0), expected_["loss"].get<double>(), 1e-4);
  Tensor split = model_.layers[0].q.weight.grad().clone();
  model_.layers[0].q.weight.mutable_grad() = Tensor();
  accumulate_gradients(model_, batch, 1 << 20, 0.0, 0);
  Tensor whole = model_.layers[0].q.weight.grad();
  EXPECT_LT((split - whole).norm().item<double>(), 1e-5 * whole.norm().item<double>());
}

TEST_P(Reference, LoraQv) { expect_lora("lora_qv"); }
TEST_P(Reference, LoraAll) { expect_lora("lora_all"); }

TEST_P(Reference, LoraLogits) {
  for (const char* name : {"lora_qv_start", "lora_all_end"}) {
    Adapter adapter = load_adapter(model_, dir_ / name);
    set_adapter(model_, &adapter);
    expect_logits(SafetensorsFile(dir_ / name / "expected.safetensors").get("logits_row0").unsqueeze(0));
    set_adapter(model_, nullptr);
    expect_logits(logits_);
  }
}

TEST_P(Reference, Full) {
  NamedTensors parameters;
  for (auto& [name, tensor] : named_parameters(model_)) parameters.emplace_back(name, *tensor);
  AdamW optimizer({}, parameters);
  expect_trajectory(expected_["full"], optimizer, 0.0);
}

INSTANTIATE_TEST_SUITE_P(Models, Reference, ::testing::Values("llama2", "llama3", "llama_linear"));

}  // namespace
}  // namespace sdft
