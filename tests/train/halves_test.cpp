// Copies of weights in bf16 beside f32 ones: nothing but the time may depend on them.
#include <gtest/gtest.h>

#include "infer/small_model.h"
#include "model/lora.h"
#include "train/training.h"

namespace sdft {
namespace {

using testing::small_model;

struct HalvesTest : ::testing::Test {
  Model model = small_model(), plain;
  Adapter adapter = init_adapter(model, testing::quick().lora, 1);
  std::vector<std::vector<int32_t>> prompts = testing::random_prompts(5, 20, 3);

  HalvesTest() {
    at::NoGradGuard no_grad;
    for (auto& [name, tensor] : named_parameters(model)) tensor->copy_(tensor->to(at::kBFloat16));
    for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.3);
    plain = model;
    keep_halves(model);
  }
  // Token by token from a cache, and the loss with its gradients in bf16 products.
  static Tensor decoded(ModelView view, const std::vector<std::vector<int32_t>>& prompts) {
    KvCache cache = make_cache(*view.weights, static_cast<int64_t>(prompts.size()), 32);
    std::vector<Tensor> all;
    for (size_t i = 0; i < prompts.size(); ++i)
      for (size_t t = 0; t < prompts[i].size(); ++t)
        all.push_back(
            logits(view, forward_cached(view, at::tensor({static_cast<int64_t>(prompts[i][t])}, at::kLong),
                                        {{1, static_cast<int64_t>(i), static_cast<int64_t>(t) + 1}}, cache)));
    return at::cat(all);
  }
};

TEST_F(HalvesTest, AreThereAndChangeNothing) {
  ASSERT_TRUE(model.halves);
  EXPECT_NE(model.halves->find(model.layers[1].mlp.up.weight), nullptr);
  EXPECT_NE(model.halves->find(model.lm_head), nullptr);
  EXPECT_TRUE(decoded(model, prompts).equal(decoded(plain, prompts)));
  EXPECT_TRUE(decoded({model, &adapter}, prompts).equal(decoded({plain, &adapter}, prompts)));
  const std::vector<Sample> samples = testing::samples_of(4);
  std::vector<const Sample*> list;
  for (const Sample& sample : samples) list.push_back(&sample);
  std::vector<Tensor> gradients[2];
  double losses[2];
  for (const bool kept : {false, true}) {
    Model& used = kept ? model : plain;
    for (auto& [name, pair] : adapter.pairs) {
      pair.a.requires_grad_(true).mutable_grad() = Tensor();
      pair.b.requires_grad_(true).mutable_grad() = Tensor();
    }
    losses[kept] = accumulate_gradients(*make_objective("kl_to_seed", {used, {used, &adapter}}),
                                        {used, &adapter}, list, 1 << 20, {{}, ops::MatmulPrecision::kBf16});
    for (auto& [name, pair] : adapter.pairs) gradients[kept].push_back(pair.a.grad().clone());
  }
  EXPECT_EQ(losses[0], losses[1]);
  for (size_t i = 0; i < gradients[0].size(); ++i) EXPECT_TRUE(gradients[0][i].equal(gradients[1][i])) << i;
}

TEST_F(HalvesTest, AreForgottenWhereTheWeightChanges) {
  at::NoGradGuard no_grad;
  const Tensor before = decoded(model, prompts);
  model.layers[1].mlp.up.weight += 0.5;
  EXPECT_EQ(model.halves->find(model.layers[1].mlp.up.weight), nullptr);
  EXPECT_TRUE(decoded(model, prompts).equal(decoded(plain, prompts)));
  EXPECT_FALSE(decoded(model, prompts).equal(before));
  EXPECT_EQ(clone(model).halves, nullptr);
  Model merged = model;
  merge_adapter(merged, adapter);
  EXPECT_EQ(merged.halves->find(merged.layers[0].q.weight), nullptr);
}

TEST_F(HalvesTest, AreOfBf16NumbersOnly) {
  Model other = small_model();
  keep_halves(other);
  EXPECT_EQ(other.halves, nullptr);
}

}  // namespace
}  // namespace sdft
