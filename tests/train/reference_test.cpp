// Logits, losses, gradients and training trajectories against Transformers and PEFT
// (../shared/fixtures/models).
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <regex>

#include "base/json.h"
#include "model/safetensors.h"
#include "testing.h"
#include "train/trainer.h"

namespace sdft {
namespace {
using testing::fixture;

// Transformers keeps the experts of a layer in two fused tensors.
std::string reference_name(const std::string& name) {
  std::string text = std::regex_replace(name, std::regex("block_sparse_moe"), "mlp");
  text = std::regex_replace(text, std::regex("experts\\.\\d+\\.(gate_proj|up_proj|w1|w3)\\.weight"),
                            "experts.gate_up_proj");
  return std::regex_replace(text, std::regex("experts\\.\\d+\\.(down_proj|w2)\\.weight"),
                            "experts.down_proj");
}

double gradients(ModelView student, const std::vector<const Sample*>& batch, int64_t max_tokens) {
  return accumulate_gradients(*make_objective("sft", {student, student}), student, batch, max_tokens, {});
}

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

  // The largest error seen, for tools/architecture-table.
  void record(double error) {
    worst_ = std::max(worst_, error);
    RecordProperty("model", GetParam());
    RecordProperty("error", fmt::format("{:.1e}", worst_));
  }

  // Logits of all rows, packed, against the reference's padded ones [rows, T, V], which may have fewer rows.
  void expect_logits(ModelView model, const Tensor& expected) {
    std::vector<std::vector<int32_t>> rows;
    for (const auto& sample : samples_) rows.push_back(sample.ids);
    at::NoGradGuard no_grad;
    Tensor got = logits(model, forward(model, pack(rows, at::kCPU)));
    int64_t begin = 0;
    for (int64_t row = 0; row < expected.size(0); ++row) {
      const int64_t length = static_cast<int64_t>(rows[static_cast<size_t>(row)].size());
      Tensor want = expected[row].narrow(0, 0, length);
      const double error =
          (got.narrow(0, begin, length) - want).abs().max().item<double>() / want.abs().max().item<double>();
      EXPECT_LT(error, 2e-4) << "row " << row;
      record(error);
      begin += length;
    }
  }

  // Steps as the fixture describes them: the same three rows each time.
  void expect_trajectory(const Json& run, ModelView student, AdamW& optimizer, double clip) {
    std::vector<const Sample*> batch;
    for (const auto& sample : samples_) batch.push_back(&sample);
    for (auto& item : optimizer.parameters) item.second.requires_grad_(true);
    for (size_t step = 0; step < run["loss"].size(); ++step) {
      const double loss = gradients(student, batch, 1 << 20);
      EXPECT_NEAR(loss, run["loss"][step].get<double>(), 1e-4) << "step " << step;
      record(std::abs(loss - run["loss"][step].get<double>()));
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
    NamedTensors parameters;
    for (auto& [module, pair] : adapter.pairs) {
      parameters.emplace_back(module + ".a", pair.a);
      parameters.emplace_back(module + ".b", pair.b);
    }
    AdamWOptions options;
    options.weight_decay = 0.01;
    AdamW optimizer(options, parameters);
    expect_trajectory(expected_[name], {model_, &adapter}, optimizer, 1.0);
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
  double worst_ = 0;
};

TEST_P(Reference, Logits) { expect_logits(model_, logits_); }

TEST_P(Reference, LossAndGradients) {
  std::vector<const Sample*> batch;
  for (const auto& sample : samples_) batch.push_back(&sample);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  EXPECT_NEAR(gradients(model_, batch, 1 << 20), expected_["loss"].get<double>(), 1e-4);
  std::map<std::string, double> squares;
  for (auto& [name, tensor] : named_parameters(model_))
    if (tensor->grad().defined())
      squares[reference_name(name)] += tensor->grad().square().sum().item<double>();
  for (const auto& [name, norm] : expected_["grad_norms"].items()) {
    const double want = norm.get<double>();
    EXPECT_NEAR(std::sqrt(squares[name]), want, 1e-3 * want + 1e-7) << name;
    if (want > 1e-6) record(std::abs(std::sqrt(squares[name]) / want - 1));
  }
}

// Relative error of Transformers 5.12's own bf16 logits against its f32 ones, all rows together (eager
// attention, torch 2.14): what bf16 costs on these models. Mixtures may send a token to another expert where
// two are about as good.
double reference_bf16_error(const std::string& model) {
  const std::map<std::string, double> errors = {
      {"gemma2", 0.0069},       {"gemma3", 0.0058},     {"llama2", 0.0316},        {"llama3", 0.0269},
      {"llama_linear", 0.0266}, {"llama_yarn", 0.0329}, {"mistral", 0.0257},       {"mixtral", 0.0373},
      {"olmo2", 0.0120},        {"phi3", 0.0287},       {"phi3_longrope", 0.0469}, {"qwen2", 0.0240},
      {"qwen3", 0.0159},        {"qwen3_moe", 0.1934},  {"smollm3", 0.0254}};
  return errors.at(model);
}

TEST_P(Reference, Bf16) {
  model_ = load_model(dir_, {"cpu", "bf16"});
  std::vector<std::vector<int32_t>> rows;
  for (const auto& sample : samples_) rows.push_back(sample.ids);
  at::NoGradGuard no_grad;
  const Tensor got = logits(model_, forward(model_, pack(rows, at::kCPU))).to(at::kFloat);
  double squares = 0, all = 0;
  int64_t begin = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto length = static_cast<int64_t>(rows[row].size());
    const Tensor want = logits_[static_cast<int64_t>(row)].narrow(0, 0, length);
    squares += (got.narrow(0, begin, length) - want).square().sum().item<double>();
    all += want.square().sum().item<double>();
    begin += length;
  }
  const double error = std::sqrt(squares / all);
  EXPECT_LT(error, 1.25 * reference_bf16_error(GetParam()));
  record(error);
}

TEST_P(Reference, LossDoesNotDependOnMicroBatches) {
  std::vector<const Sample*> batch;
  for (const auto& sample : samples_) batch.push_back(&sample);
  for (auto& item : named_parameters(model_)) item.second->requires_grad_(true);
  EXPECT_NEAR(gradients(model_, batch, 1), expected_["loss"].get<double>(), 1e-4);
  Tensor split = model_.layers[0].o.weight.grad().clone();
  model_.layers[0].o.weight.mutable_grad() = Tensor();
  gradients(model_, batch, 1 << 20);
  Tensor whole = model_.layers[0].o.weight.grad();
  EXPECT_LT((split - whole).norm().item<double>(), 1e-5 * whole.norm().item<double>());
}

TEST_P(Reference, LoraQv) { expect_lora("lora_qv"); }
TEST_P(Reference, LoraAll) { expect_lora("lora_all"); }

TEST_P(Reference, LoraLogits) {
  for (const char* name : {"lora_qv_start", "lora_all_end"}) {
    Adapter adapter = load_adapter(model_, dir_ / name);
    expect_logits({model_, &adapter},
                  SafetensorsFile(dir_ / name / "expected.safetensors").get("logits_row0").unsqueeze(0));
    expect_logits(model_, logits_);
  }
}

TEST_P(Reference, Full) {
  NamedTensors parameters;
  for (auto& [name, tensor] : named_parameters(model_)) parameters.emplace_back(name, *tensor);
  AdamW optimizer({}, parameters);
  expect_trajectory(expected_["full"], model_, optimizer, 0.0);
}

INSTANTIATE_TEST_SUITE_P(Models, Reference,
                         ::testing::Values("llama2", "llama3", "llama_linear", "llama_yarn", "mistral",
                                           "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "phi3_longrope",
                                           "olmo2", "smollm3", "qwen3_moe", "mixtral"));

}  // namespace
}  // namespace sdft
