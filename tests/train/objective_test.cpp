// Objectives against formulas in f64, token by token, and their gradients against autograd of the whole.
#include "train/objective.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "infer/small_model.h"
#include "train/token_objectives.h"
#include "train/training.h"

namespace sdft {
namespace {

using testing::small_model;

using Row = std::vector<double>;

// Distributions over few tokens, one of them very unlikely.
Tensor logits_of(int64_t rows, int64_t width, double shift) {
  Tensor x = at::empty({rows, width}, at::kDouble);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      x[i][j] = std::sin(1.7 * static_cast<double>(i * width + j) + shift) * (j == 0 ? 9 : 3);
  return x;
}

Row probabilities(const Tensor& logits, int64_t row) {
  Row p;
  double sum = 0;
  for (int64_t j = 0; j < logits.size(1); ++j) {
    p.push_back(std::exp(logits[row][j].item<double>()));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

double kl(const Row& p, const Row& q) {
  double sum = 0;
  for (size_t j = 0; j < p.size(); ++j) sum += p[j] * std::log(p[j] / q[j]);
  return sum;
}

double divergence_by_hand(double alpha, const Row& p, const Row& q) {
  if (alpha == 0) return kl(p, q);
  if (alpha == 1) return kl(q, p);
  Row m;
  for (size_t j = 0; j < p.size(); ++j) m.push_back(alpha * p[j] + (1 - alpha) * q[j]);
  return alpha * kl(p, m) + (1 - alpha) * kl(q, m);
}

double topk_entropy_by_hand(Row p, size_t k) {
  std::sort(p.rbegin(), p.rend());
  double sum = 0, entropy = 0;
  for (size_t j = 0; j < k; ++j) sum += p[j];
  for (size_t j = 0; j < k; ++j) entropy -= p[j] / sum * std::log(p[j] / sum);
  return entropy / std::log(static_cast<double>(k));
}

constexpr double kAll[] = {0, 0.3, 0.5, 1};

TEST(TokenLoss, EachIsItsFormula) {
  const Tensor logits = logits_of(5, 7, 0.3), seed = logits_of(5, 7, 1.1);
  const Tensor log_probs = at::log_softmax(logits, -1), targets = at::tensor({0L, 3L, 6L, 1L, 0L}, at::kLong);
  const Tensor dft = token_loss::dft(log_probs, targets), eaft = token_loss::eaft(log_probs, targets, 4);
  const Tensor proximal = token_loss::proximal(log_probs, at::log_softmax(seed, -1), targets, 0.2);
  for (int64_t i = 0; i < 5; ++i) {
    const Row q = probabilities(logits, i), p = probabilities(seed, i);
    const double own = q[static_cast<size_t>(targets[i].item<int64_t>())];
    EXPECT_NEAR(dft[i].item<double>(), -own * std::log(own), 1e-12);
    const double ratio = own / p[static_cast<size_t>(targets[i].item<int64_t>())];
    EXPECT_NEAR(proximal[i].item<double>(), -std::min(ratio, std::min(std::max(ratio, 0.8), 1.2)), 1e-12);
    EXPECT_NEAR(eaft[i].item<double>(), -topk_entropy_by_hand(q, 4) * std::log(own), 1e-12);
    for (const double alpha : kAll)
      EXPECT_NEAR(divergence(alpha, at::log_softmax(seed, -1), log_probs)[i].item<double>(),
                  divergence_by_hand(alpha, p, q), 1e-12);
  }
}

// What weighs a token's loss has no gradient: that of dft is p(y) times that of cross entropy.
TEST(TokenLoss, NoGradientGoesThroughTheWeights) {
  const Tensor targets = at::tensor({0L, 3L, 2L}, at::kLong);
  auto gradient = [&](auto loss) {
    Tensor logits = logits_of(3, 7, 0.3).requires_grad_(true);
    loss(at::log_softmax(logits, -1)).sum().backward();
    return logits.grad();
  };
  const Tensor plain = gradient([&](const Tensor& x) { return token_loss::cross_entropy(x, targets); });
  const Tensor log_probs = at::log_softmax(logits_of(3, 7, 0.3), -1);
  EXPECT_TRUE(gradient([&](const Tensor& x) {
                return token_loss::dft(x, targets);
              }).allclose(plain * (-token_loss::cross_entropy(log_probs, targets)).exp().unsqueeze(1)));
  EXPECT_TRUE(gradient([&](const Tensor& x) {
                return token_loss::eaft(x, targets, 3);
              }).allclose(plain * token_loss::topk_entropy(log_probs, 3).unsqueeze(1)));
}

// A token that has grown enough is left alone; the others have the ratio times cross entropy's gradient.
TEST(TokenLoss, TheProximalRatioStopsWhereItIsClipped) {
  Tensor logits = logits_of(6, 7, 0.3).requires_grad_(true),
         plain = logits_of(6, 7, 0.3).requires_grad_(true);
  const Tensor before = at::log_softmax(logits_of(6, 7, 1.1), -1),
               targets = at::tensor({0L, 3L, 2L, 5L, 6L, 1L}, at::kLong);
  token_loss::proximal(at::log_softmax(logits, -1), before, targets, 0.2).sum().backward();
  token_loss::cross_entropy(at::log_softmax(plain, -1), targets).sum().backward();
  size_t clipped = 0;
  for (int64_t i = 0; i < 6; ++i) {
    const auto y = static_cast<size_t>(targets[i].item<int64_t>());
    const double ratio =
        probabilities(logits.detach(), i)[y] / std::exp(before[i][targets[i].item<int64_t>()].item<double>());
    clipped += ratio > 1.2;
    EXPECT_TRUE(logits.grad()[i].allclose(plain.grad()[i] * (ratio > 1.2 ? 0 : ratio))) << i;
  }
  EXPECT_GT(clipped, 0u);
  EXPECT_LT(clipped, 6u);
}

TEST(TokenLoss, DivergencesAreZeroForEqualsAndNeverBelow) {
  const Tensor a = at::log_softmax(logits_of(4, 9, 0.1), -1), b = at::log_softmax(logits_of(4, 9, 2.0), -1);
  for (const double alpha : kAll) {
    EXPECT_LT(divergence(alpha, a, a).abs().max().item<double>(), 1e-12);
    EXPECT_GT(divergence(alpha, a, b).min().item<double>(), 0);
  }
  EXPECT_LT(divergence(0.5, a, b).max().item<double>(), std::log(2.0));
}

// Chunk by chunk in f32 as at once in f64, softcap and both gradients included.
TEST(LinearLoss, IsTheLossOfAllLogitsAtOnce) {
  const int64_t rows = 70, width = 12, vocabulary = 70000;  // two chunks
  at::manual_seed(3);
  const Tensor hidden = at::randn({rows, width}, at::kDouble),
               weight = at::randn({vocabulary, width}, at::kDouble);
  const Tensor other = at::randn({rows, 5}, at::kDouble),
               other_weight = at::randn({vocabulary, 5}, at::kDouble);
  const Tensor weights = at::rand({rows}, at::kDouble), targets = at::randint(vocabulary, {rows}, at::kLong);
  const double cap = 4;
  auto formula = [](const ops::LogitRows& x) {
    const Tensor log_probs = at::log_softmax(x.student, -1);
    return token_loss::dft(log_probs, x.targets) +
           0.3 * divergence(1.0, at::log_softmax(x.teacher, -1), log_probs);
  };
  Tensor h = hidden.clone().requires_grad_(true), w = weight.clone().requires_grad_(true);
  const Tensor whole =
      (formula({at::tanh(at::mm(h, w.t()) / cap) * cap, at::mm(other, other_weight.t()), targets, {}}) *
       weights)
          .sum();
  whole.backward();
  Tensor h32 = hidden.to(at::kFloat).requires_grad_(true), w32 = weight.to(at::kFloat).requires_grad_(true);
  const ops::Head teacher{other.to(at::kFloat), other_weight.to(at::kFloat)};
  const Tensor parts = ops::linear_loss({h32, w32, cap}, teacher, targets, weights.to(at::kFloat), formula);
  parts.backward();
  EXPECT_NEAR(parts.item<double>(), whole.item<double>(), 1e-4 * std::abs(whole.item<double>()));
  EXPECT_LT((h32.grad().to(at::kDouble) - h.grad()).abs().max().item<double>(),
            1e-4 * h.grad().abs().max().item<double>());
  EXPECT_LT((w32.grad().to(at::kDouble) - w.grad()).abs().max().item<double>(),
            1e-4 * w.grad().abs().max().item<double>());
  at::NoGradGuard no_grad;
  EXPECT_NEAR(
      ops::linear_loss({h32, w32, cap}, teacher, targets, weights.to(at::kFloat), formula).item<double>(),
      parts.item<double>(), 1e-6 * std::abs(whole.item<double>()));
}

struct Objectives : ::testing::TestWithParam<std::string> {
  Model model = small_model();
  Adapter adapter = init_adapter(model, testing::quick().lora, 1);
  std::vector<Sample> samples = testing::samples_of(4);
  // Random weights find everything surprising.
  ObjectiveOptions options = [this] {
    ObjectiveOptions all;
    all.max_perplexity = static_cast<double>(model.config.vocab_size);
    all.proximal_steps = 100;  // where the ratio is 1 again
    return all;
  }();
  std::vector<const Sample*> list() const {
    std::vector<const Sample*> all;
    for (const Sample& sample : samples) all.push_back(&sample);
    return all;
  }
};

// Packed or one by one, the loss and the gradients are the same; the seed's logits take no part in them.
TEST_P(Objectives, DoNotDependOnThePacking) {
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.1);
  const bool full = GetParam() == "ewc";  // of which there is no adapter
  Model own = clone(model);
  const ModelView student = full ? ModelView(own) : ModelView(model, &adapter);
  std::vector<Tensor> parameters;
  if (full)
    for (auto& [name, tensor] : named_parameters(own)) parameters.push_back(*tensor);
  else
    for (auto& [name, pair] : adapter.pairs) parameters.insert(parameters.end(), {pair.a, pair.b});
  const std::vector<Sample> kept = testing::samples_of(3, 5);
  const auto objective = make_objective(GetParam(), {model, student, options, &kept});
  samples = objective->selected(samples);
  std::vector<Tensor> gradients[2];
  double losses[2];
  for (const int64_t packing : {0, 1}) {
    for (Tensor& parameter : parameters) parameter.requires_grad_(true).mutable_grad() = Tensor();
    losses[packing] = accumulate_gradients(*objective, student, list(), packing ? 1 << 20 : 1, {});
    for (Tensor& parameter : parameters) gradients[packing].push_back(parameter.grad().clone());
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5 * std::abs(losses[0]));
  for (size_t i = 0; i < gradients[0].size(); ++i)
    EXPECT_TRUE(gradients[0][i].allclose(gradients[1][i], 1e-3, 1e-6)) << i;
}

// At the start, where student and seed are the same, an anchor adds nothing; later it does.
TEST_P(Objectives, TrainBothKinds) {
  for (const bool lora : {true, false}) {
    if (lora && GetParam() == "ewc") continue;
    Model own = clone(model);
    Adapter fresh = init_adapter(own, testing::quick().lora, 1);
    const std::vector<Sample> kept = testing::samples_of(3, 5);
    auto objective = make_objective(GetParam(), {model, {own, lora ? &fresh : nullptr}, options, &kept});
    samples = objective->selected(testing::samples_of(4));
    Trainer trainer(own, lora ? &fresh : nullptr, std::move(objective), testing::quick(), 8);
    const double before = trainer.loss(list());
    for (int step = 0; step < 8; ++step) EXPECT_TRUE(std::isfinite(trainer.step(list()).loss));
    // Of dft the loss rises with the probability up to 1 / e.
    const bool falls = GetParam() != "dft" && GetParam() != "asft";
    EXPECT_TRUE(!falls || trainer.loss(list()) < before) << lora;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Objectives, ::testing::ValuesIn(objective_names()),
                         [](const auto& one) { return one.param; });

struct Anchors : Objectives {};

TEST_F(Anchors, HoldOn) {
  // The stronger the anchor, the nearer to the seed.
  for (const char* name : {"kl_to_seed", "asft", "l2_sp"}) {
    std::vector<double> moved;
    for (const double weight : {0.0, 1.0, 100.0}) {
      Adapter fresh = init_adapter(model, testing::quick().lora, 1);
      ObjectiveOptions anchoring;
      anchoring.anchor_weight = weight;
      Trainer trainer(model, &fresh, make_objective(name, {model, model, anchoring}), testing::quick(), 30);
      for (int step = 0; step < 30; ++step) trainer.step(list());
      double sum = 0;
      for (auto& [layer, pair] : fresh.pairs) sum += at::mm(pair.b, pair.a).square().sum().item<double>();
      moved.push_back(sum);
    }
    EXPECT_GT(moved[0], moved[1]) << name;
    EXPECT_GT(moved[1], moved[2]) << name;
  }
}

TEST_F(Anchors, ThePenaltyIsTheSquaredUpdate) {
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.1);
  double sum = 0;
  for (auto& [name, pair] : adapter.pairs)
    sum +=
        (pair.scale * at::mm(pair.b.to(at::kDouble), pair.a.to(at::kDouble))).square().sum().item<double>();
  const auto objective = make_objective("l2_sp", {model, model});
  EXPECT_NEAR(objective->penalty({model, &adapter}).item<double>(), 0.1 * sum, 1e-5 * sum);
  EXPECT_EQ(make_objective("sft", {model, model})->penalty({model, &adapter}).defined(), false);
  // Full fine-tuning: of the weights themselves.
  Model own = clone(model);
  own.layers[0].q.weight += 0.5;
  at::NoGradGuard no_grad;
  EXPECT_NEAR(objective->penalty(own).item<double>(),
              0.1 * 0.25 * static_cast<double>(own.layers[0].q.weight.numel()), 1e-3);
}

// Where the seed has an adapter, the distance is from its update, not from nothing.
TEST_F(Anchors, ThePenaltyIsFromTheSeedsAdapter) {
  for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.1);
  Adapter student = adapter;
  const auto objective = make_objective("l2_sp", {{model, &adapter}, {model, &student}});
  EXPECT_NEAR(objective->penalty({model, &student}).item<double>(), 0, 1e-6);
  double sum = 0;
  for (auto& [name, pair] : student.pairs) {
    pair.b = pair.b + 0.5;
    sum += (pair.scale * at::mm(at::full_like(pair.b, 0.5), pair.a)).square().sum().item<double>();
  }
  EXPECT_NEAR(objective->penalty({model, &student}).item<double>(), 0.1 * sum, 1e-3 * sum);
}

TEST_F(Anchors, TokensThatSurpriseTheSeedAreMasked) {
  const auto masked = make_objective("stm", {model, model, options})->selected(samples);
  size_t kept = 0, all = 0;
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Tensor log_probs =
        at::log_softmax(logits(model, forward(model, pack({samples[i].ids}, at::kCPU))).to(at::kDouble), -1);
    EXPECT_EQ(masked[i].ids, samples[i].ids);
    for (size_t t = 1; t < samples[i].ids.size(); ++t) {
      const double p = std::exp(log_probs[static_cast<int64_t>(t) - 1][samples[i].ids[t]].item<double>());
      EXPECT_EQ(masked[i].supervised[t] != 0, 1 / p <= options.max_perplexity) << i << " " << t;
      kept += masked[i].supervised[t];
      ++all;
    }
  }
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, all);
}

TEST_F(Anchors, ATopKBeyondTheVocabularyIsRefused) {
  options.entropy_topk = model.config.vocab_size + 1;
  EXPECT_THROW(make_objective("eaft", {model, model, options}), Error);
}

// anchor_weight / 2 * sum F (w - w0)^2, F: the mean over the samples of the squared derivative of their
// log-likelihood, here by differences.
TEST_F(Anchors, EwcWeighsEachWeight) {
  const std::vector<Sample> kept = testing::samples_of(3, 5);
  options.anchor_weight = 20;
  Model own = clone(model);
  const auto objective = make_objective("ewc", {model, own, options, &kept});
  at::NoGradGuard no_grad;
  EXPECT_EQ(objective->penalty(own).item<double>(), 0);
  auto log_likelihood = [&](const Sample& sample) {
    const Tensor rows =
        at::log_softmax(logits(own, forward(own, pack({sample.ids}, at::kCPU))).to(at::kDouble), -1);
    double sum = 0;
    for (size_t t = 1; t < sample.ids.size(); ++t)
      if (sample.supervised[t]) sum += rows[static_cast<int64_t>(t) - 1][sample.ids[t]].item<double>();
    return sum;
  };
  Tensor& norm = own.layers[1].mlp_norm;
  Tensor& matrix = own.layers[0].v.weight;
  for (Tensor place : {norm[3], matrix[2][5], own.lm_head[7][1]}) {
    const float before = place.item<float>(), step = 1e-2f;
    double fisher = 0;
    for (const Sample& sample : kept) {
      place.fill_(before + step);
      const double above = log_likelihood(sample);
      place.fill_(before - step);
      const double derivative = (above - log_likelihood(sample)) / (2 * step);
      fisher += derivative * derivative / static_cast<double>(kept.size());
    }
    place.fill_(before + 0.5f);
    const double expected = 0.5 * 20 * fisher * 0.25;
    EXPECT_NEAR(objective->penalty(own).item<double>(), expected, 0.02 * expected + 1e-9);
    place.fill_(before);
  }
  EXPECT_THROW(make_objective("ewc", {model, {model, &adapter}, options, &kept}), Error);
  EXPECT_THROW(make_objective("ewc", {model, own, options}), Error);
}

}  // namespace
}  // namespace sdft
