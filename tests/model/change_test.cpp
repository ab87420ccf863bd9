#include "model/change.h"

#include <gtest/gtest.h>

#include "infer/small_model.h"
#include "train/training.h"

namespace sdft {
namespace {

using testing::small_model;

struct Changes : ::testing::Test {
  Model seed = small_model(), tuned = clone(seed);
  Adapter adapter = init_adapter(seed, testing::quick().lora, 1);
  PackedTokens tokens = pack({{3, 1, 4, 1, 5, 9, 2, 6}}, at::kCPU);

  Changes() {
    at::NoGradGuard no_grad;
    for (auto& [name, tensor] : named_parameters(tuned)) *tensor += 0.1 * at::randn(tensor->sizes());
    for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.3);
    adapter.replaced["model.norm.weight"] = at::rand_like(seed.norm);
  }
  Tensor logits_of(ModelView view) const {
    at::NoGradGuard no_grad;
    return logits(view, forward(view, tokens));
  }
};

TEST_F(Changes, ScaledByNothingAreTheSeedAndByOneThemselves) {
  Model none = clone(tuned), all = clone(tuned), half = clone(tuned);
  scale_change(none, seed, 0);
  scale_change(all, seed, 1);
  scale_change(half, seed, 0.5);
  EXPECT_TRUE(none.layers[1].q.weight.equal(seed.layers[1].q.weight));
  EXPECT_TRUE(all.layers[1].q.weight.allclose(tuned.layers[1].q.weight));
  EXPECT_TRUE(half.layers[1].q.weight.allclose((seed.layers[1].q.weight + tuned.layers[1].q.weight) / 2));
}

// DoRA's stays DoRA's.
TEST_F(Changes, OfDoraAreThoseOfItsMerge) {
  LoraConfig config = testing::quick().lora;
  config.use_dora = true;
  config.target_modules = {"q_proj", "embed_tokens", "lm_head"};
  Adapter dora = init_adapter(seed, config, 1);
  for (auto& [name, pair] : dora.pairs) {
    pair.a.normal_(0, 0.3);
    pair.b.normal_(0, 0.3);
    pair.magnitude *= 1 + 0.2 * at::rand_like(pair.magnitude);
  }
  refresh_norms(seed, dora);
  for (const double scale : {0.0, 0.3, 1.0}) {
    Model merged = clone(seed);
    merge_adapter(merged, dora);
    scale_change(merged, seed, scale);
    Adapter scaled = dora;
    scale_change(scaled, seed, scale);
    EXPECT_LT((logits_of({seed, &scaled}) - logits_of(merged)).abs().max().item<double>(), 2e-4) << scale;
  }
}

// An adapter's change is what merging it would make, so that both ways are one.
TEST_F(Changes, OfAnAdapterAreThoseOfItsMerge) {
  Model merged = clone(seed);
  merge_adapter(merged, adapter);
  scale_change(merged, seed, 0.3);
  Adapter scaled = adapter;
  for (auto& [name, weight] : scaled.replaced) weight = weight.clone();
  scale_change(scaled, seed, 0.3);
  EXPECT_LT((logits_of({seed, &scaled}) - logits_of(merged)).abs().max().item<double>(), 1e-4);
}

TEST_F(Changes, PruningDropsWhatChangedMostForItsSize) {
  Model pruned = clone(tuned);
  prune_change(pruned, seed, 0.25);
  const Tensor w0 = seed.layers[2].mlp.up.weight, w1 = tuned.layers[2].mlp.up.weight,
               w = pruned.layers[2].mlp.up.weight;
  const Tensor size = ((w1 - w0) / w0).abs(), back = w.eq(w0), stayed = w.eq(w1);
  EXPECT_TRUE(back.logical_or(stayed).all().item<bool>());
  EXPECT_NEAR(back.to(at::kFloat).mean().item<double>(), 0.25, 2.0 / static_cast<double>(w.numel()));
  EXPECT_LE(size.masked_select(stayed).max().item<double>(), size.masked_select(back).min().item<double>());
  EXPECT_TRUE(pruned.norm.equal(tuned.norm));
  prune_change(pruned, seed, 0);
  EXPECT_TRUE(pruned.layers[2].mlp.up.weight.equal(w));
  prune_change(pruned, seed, 1);
  EXPECT_TRUE(pruned.layers[2].mlp.up.weight.equal(w0));
}

// Merging an adapter on one of two tied weights unties them.
TEST(TiedChanges, ArePrunedBothWays) {
  ModelConfig config = testing::small_config();
  config.tie_word_embeddings = true;
  Model seed = init_model(config, 1, {"cpu", "f32"});
  Adapter adapter;
  adapter.replaced["lm_head.weight"] = seed.lm_head + 1.0;
  Model tuned = clone(seed);
  merge_adapter(tuned, adapter);
  prune_change(tuned, seed, 1);
  EXPECT_TRUE(tuned.lm_head.equal(seed.lm_head));
  scale_change(tuned, seed, 0.5);
  EXPECT_TRUE(tuned.embed.equal(seed.embed));
}

}  // namespace
}  // namespace sdft
