// On-policy distillation against TRL's own trainer: losses and gradients that tools/trl-fixtures wrote down.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/json.h"
#include "train/distillation.h"
#include "train/trainer.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
const fs::path kFixtures = fs::path(SDFT_SOURCE_DIR) / "tests/train/trl";

using Ids = std::vector<int32_t>;

// TRL's loss is the mean over the answers of the mean over their tokens.
Sample sample_of(const Json& item, size_t skipped) {
  const auto prompt = item["prompt"].get<Ids>(), teacher = item["teacher_prompt"].get<Ids>(),
             answer = item["completion"].get<Ids>();
  Sample sample;
  sample.ids = prompt;
  sample.teacher_ids = teacher;
  sample.ids.insert(sample.ids.end(), answer.begin(), answer.end());
  sample.teacher_ids.insert(sample.teacher_ids.end(), answer.begin(), answer.end());
  sample.supervised.assign(prompt.size() + skipped, 0);
  sample.supervised.resize(sample.ids.size(), 1);
  sample.weight = 1.0 / static_cast<double>(answer.size() - skipped);
  return sample;
}

// One with a loss near 0 is right to the same absolute error as the others.
void expect_near(const Tensor& found, const std::vector<double>& expected, const std::string& what) {
  const Tensor given = at::tensor(at::ArrayRef<double>(expected), at::kDouble);
  const Tensor own = found.flatten().to(at::kDouble);
  ASSERT_EQ(own.numel(), given.numel()) << what;
  EXPECT_LT((own - given).abs().max().item<double>(), 2e-5 * given.abs().max().item<double>() + 1e-7) << what;
}

TEST(Trl, LossesAndGradientsAreItsTrainers) {
  Model model = load_model(kFixtures / "model", {"cpu", "f32"});
  Adapter adapter = load_adapter(model, kFixtures / "adapter");
  const Json fixtures = read_json(kFixtures / "cases.json");
  ASSERT_EQ(fixtures["cases"].size(), 14u);
  for (const Json& one : fixtures["cases"]) {
    DistillationOptions options;
    options.mode = one["distillation_mode"].get<std::string>();
    options.alpha = one["distillation_alpha"].get<double>();
    if (one["distillation_topk"].is_number()) options.topk = one["distillation_topk"].get<int64_t>();
    options.add_tail = one["distillation_add_tail"].get<bool>();
    const auto skipped = one["num_loss_tokens_to_skip"].get<size_t>();
    std::vector<Sample> samples;
    for (const Json& item : fixtures["items"]) samples.push_back(sample_of(item, skipped));
    std::vector<const Sample*> list;
    for (const Sample& sample : samples) list.push_back(&sample);
    const std::string what =
        options.mode + " " + std::to_string(options.alpha) + (options.add_tail ? " tail" : "");
    for (auto& [name, pair] : adapter.pairs)
      for (Tensor* tensor : {&pair.a, &pair.b}) {
        tensor->requires_grad_(true);
        tensor->mutable_grad() = Tensor();
      }
    const auto objective = make_distillation(model, {model, &adapter}, options);
    const double loss = accumulate_gradients(*objective, {model, &adapter}, list, 1 << 20, {});
    EXPECT_NEAR(loss, one["loss"].get<double>(), 2e-5) << what;
    for (const auto& [name, pair] : adapter.pairs) {
      expect_near(pair.a.grad(), one["gradients"][name + ".lora_A"].get<std::vector<double>>(),
                  what + " " + name);
      expect_near(pair.b.grad(), one["gradients"][name + ".lora_B"].get<std::vector<double>>(),
                  what + " " + name);
    }
  }
}

}  // namespace
}  // namespace sdft
