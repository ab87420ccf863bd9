// Weights of tokens in the loss.
#include "train/batch.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "train/training.h"

namespace sdft {
namespace {

std::vector<Sample> samples_of(const std::vector<size_t>& lengths, const std::vector<double>& weights) {
  std::vector<Sample> samples;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Sample sample;
    sample.ids.assign(lengths[i], 3);
    sample.supervised.assign(lengths[i], 1);
    sample.supervised[0] = 0;
    sample.weight = weights[i];
    samples.push_back(sample);
  }
  return samples;
}

// The weights of a step's learned tokens, in order.
std::vector<float> weights_of(const std::vector<Sample>& samples, int64_t max_tokens) {
  std::vector<const Sample*> step;
  for (const Sample& sample : samples) step.push_back(&sample);
  std::vector<float> all;
  for (const MicroBatch& batch : micro_batches(step, max_tokens, at::kCPU)) {
    const float* data = batch.weights.data_ptr<float>();
    all.insert(all.end(), data, data + batch.weights.numel());
  }
  return all;
}

TEST(Batches, ATokenWeighsAsItsExample) {
  const auto samples = samples_of({3, 5}, {3, 0.5});  // 2 and 4 learned tokens
  for (const int64_t max_tokens : {3, 100}) {
    const auto weights = weights_of(samples, max_tokens);
    ASSERT_EQ(weights.size(), 6u);
    for (size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(weights[i], i < 2 ? 3.0f / 8 : 0.5f / 8) << i;
  }
}

TEST(Batches, EqualWeightsAreNoWeights) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<size_t> lengths;
    for (uint64_t k = 1 + random.below(5); k > 0; --k) lengths.push_back(1 + random.below(40));
    size_t learned = 0;
    for (const size_t length : lengths) learned += length - 1;
    const double weight = std::exp(random.normal() * 5);
    const auto weights = weights_of(samples_of(lengths, std::vector<double>(lengths.size(), weight)), 50);
    const auto one = static_cast<float>(1.0 / static_cast<double>(std::max<size_t>(1, learned)));
    EXPECT_EQ(weights, std::vector<float>(learned, one)) << weight;
  }
}

TEST(Batches, TheWeightsOfAStepSumToOne) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    std::vector<size_t> lengths;
    std::vector<double> given;
    for (uint64_t k = 1 + random.below(5); k > 0; --k) {
      lengths.push_back(2 + random.below(40));
      given.push_back(std::exp(random.normal() * 3));
    }
    double sum = 0;
    for (const float weight : weights_of(samples_of(lengths, given), 30)) sum += weight;
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

// What samples have in common at their beginning stands in a pass once; losses and gradients are those of
// samples apart.
TEST(Batches, ASharedBeginningChangesNothing) {
  Model model = testing::small_model();
  std::vector<Sample> samples = testing::samples_of(4);
  for (Sample& sample : samples) {
    const std::vector<int32_t> beginning = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    sample.ids.insert(sample.ids.begin(), beginning.begin(), beginning.end());
    sample.supervised.insert(sample.supervised.begin(), beginning.size(), 0);
  }
  std::vector<const Sample*> step;
  for (const Sample& sample : samples) step.push_back(&sample);
  const auto gradients = [&](Beginnings beginnings, int64_t* rows) {
    Adapter adapter = init_adapter(model, testing::quick().lora, 1);
    for (auto& [name, pair] : adapter.pairs) {
      pair.b.normal_(0, 0.1, at::make_generator<at::CPUGeneratorImpl>(3));
      pair.a.requires_grad_(true), pair.b.requires_grad_(true);
    }
    std::vector<Tensor> all;
    Tensor loss = at::zeros({});
    for (const MicroBatch& batch : micro_batches(step, 1 << 20, at::kCPU, beginnings)) {
      *rows = batch.tokens.ids.numel();
      const ops::Head head = head_of({model, &adapter}, batch.tokens, batch.rows);
      loss =
          loss + ops::linear_cross_entropy(head.hidden, head.weight, batch.targets, batch.weights, head.cap);
    }
    loss.backward();
    all.push_back(loss.detach());
    for (auto& [name, pair] : adapter.pairs) all.insert(all.end(), {pair.a.grad(), pair.b.grad()});
    return all;
  };
  int64_t apart_rows = 0, shared_rows = 0;
  const auto apart = gradients(Beginnings::kApart, &apart_rows),
             shared = gradients(Beginnings::kShared, &shared_rows);
  EXPECT_EQ(apart_rows - shared_rows, 30);  // what is learned is each sample's own
  for (size_t i = 0; i < apart.size(); ++i) EXPECT_TRUE(at::allclose(apart[i], shared[i], 1e-4, 1e-6)) << i;
}

TEST(Batches, DropoutAndNoiseAreEachSamplesOwn) {
  const Model model = testing::small_model();
  EXPECT_EQ(beginnings_of(model), Beginnings::kShared);
  EXPECT_EQ(beginnings_of(model, {{0.1, 1}}), Beginnings::kApart);
  ForwardOptions noisy;
  noisy.noise.alpha = 5;
  EXPECT_EQ(beginnings_of(model, noisy), Beginnings::kApart);
}

}  // namespace
}  // namespace sdft
