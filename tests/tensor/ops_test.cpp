// The differentiable operations at every tier, ATen's compositions too, against the same formulas in f64 by
// ATen, forward and backward.
#include "tensor/ops.h"

#include <cmath>
#include <functional>

#include "base/error.h"
#include "tensor/kernel_test.h"
#include "tensor/quantised.h"

namespace sdft {
namespace {

Tensor random_tensor(const std::vector<int64_t>& shape, const std::string& name) {
  Random random(3, name);
  Tensor x = at::empty(shape, at::kFloat);
  for (float *p = x.data_ptr<float>(), *end = p + x.numel(); p != end; ++p)
    *p = static_cast<float>(random.normal());
  return x;
}

using Formula = std::function<Tensor(const std::vector<Tensor>&)>;

class Ops : public ::testing::TestWithParam<Tier> {
 protected:
  void SetUp() override {
    before_ = chosen_tier();
    if (GetParam() >= Tier::kBaseline && !kernels_of(GetParam()))
      GTEST_SKIP() << name_of(GetParam()) << " is not of this processor or build";
    choose_tier(GetParam());
  }
  void TearDown() override { choose_tier(before_); }

  static void expect_near(const Tensor& got, const Tensor& exact, double tolerance, const std::string& what) {
    ASSERT_EQ(got.sizes(), exact.sizes()) << what;
    ASSERT_EQ(got.scalar_type(), at::kFloat) << what;
    if (got.numel() == 0) return;
    const double largest = std::max(1e-6, exact.abs().max().item<double>());
    ASSERT_LE((got.to(at::kDouble) - exact).abs().max().item<double>() / largest, tolerance) << what;
  }

  // The operation on f32 against the formula on the same numbers in f64: results with and without a gradient,
  // and the gradients of all inputs that a weighted sum of the results has; errors relative to each one's
  // largest number.
  static void expect_operation(const std::vector<Tensor>& inputs, const Formula& operation,
                               const Formula& formula, double tolerance = 2e-6) {
    std::vector<Tensor> narrow, wide;
    for (const Tensor& x : inputs) {
      const bool number = x.scalar_type() == at::kFloat;
      narrow.push_back(number ? x.clone().requires_grad_(true) : x);
      wide.push_back(number ? x.to(at::kDouble).requires_grad_(true) : x);
    }
    const Tensor got = operation(narrow), exact = formula(wide);
    ASSERT_TRUE(got.requires_grad());
    expect_near(got.detach(), exact.detach(), tolerance, "result");
    {
      at::NoGradGuard no_grad;
      expect_near(operation(inputs), exact.detach(), tolerance, "result without gradient");
    }
    const Tensor weight = random_tensor(got.sizes().vec(), "weight");
    (got * weight).sum().backward();
    (exact * weight.to(at::kDouble)).sum().backward();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!wide[i].requires_grad() || !wide[i].grad().defined()) continue;
      ASSERT_TRUE(narrow[i].grad().defined()) << "gradient of input " << i;
      expect_near(narrow[i].grad(), wide[i].grad(), tolerance, "gradient of input " + std::to_string(i));
    }
  }

 private:
  Tier before_ = Tier::kAten;
};

TEST_P(Ops, Product) {
  // ATen adds up in bf16 too where it does not take oneDNN's product: below AVX-512, and below 16^3
  // multiply-adds.
  const double most = (kernels_of(Tier::kAvx512) ? 3 : 12) * std::ldexp(1.0, -9);
  // Not k = 63: there oneDNN 2.6.3's own product for AMX returns garbage on two threads (docs/numerics.md).
  const int64_t m = 37, k = 65, n = 29;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const Tensor a = random_tensor(ta ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k}, "a"),
                   b = random_tensor(tb ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}, "b");
      auto turn = [](const Tensor& x, bool t) { return (t ? x.t() : x).to(at::kDouble); };
      const Tensor exact = at::matmul(turn(a, ta), turn(b, tb));
      expect_near(ops::product(a, ta, b, tb), exact, 1e-6, "f32");
      const Tensor rounded = ops::product(a, ta, b, tb, ops::MatmulPrecision::kBf16);
      ASSERT_EQ(rounded.scalar_type(), at::kFloat);
      const Tensor scale = at::matmul(turn(a, ta).abs(), turn(b, tb).abs());  // both factors and the result
      const Tensor error = (rounded.to(at::kDouble) - exact).abs() / scale;
      EXPECT_LE(error.max().item<double>(), most);
      EXPECT_GT(error.max().item<double>(), 1e-5) << "is this bf16?";
    }
}

TEST_P(Ops, Linear) {
  auto formula = [](const std::vector<Tensor>& x) {
    return at::linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor());
  };
  for (const auto& [rows, k, n] :
       std::vector<std::array<int64_t, 3>>{{1, 1, 1}, {3, 7, 5}, {17, 100, 33}, {5, 600, 64}}) {
    const Tensor x = random_tensor({rows, k}, "x"), w = random_tensor({n, k}, "w"),
                 b = random_tensor({n}, "b"), sum = random_tensor({rows, n}, "sum");
    expect_operation(
        {x, w}, [](const auto& v) { return ops::linear(v[0], v[1]); }, formula);
    expect_operation(
        {x, w, b}, [](const auto& v) { return ops::linear(v[0], v[1], v[2]); }, formula);
    expect_operation(
        {x, w, b, sum}, [](const auto& v) { return ops::add_linear(v[3].clone(), v[0], v[1], v[2]); },
        [](const auto& v) { return v[3] + at::linear(v[0], v[1], v[2]); });
    // Factors of 8 bits.
    expect_operation(
        {x, w, b}, [](const auto& v) { return ops::linear(v[0], v[1], v[2], ops::MatmulPrecision::kBf16); },
        formula, 1.6e-2);
  }
}

TEST_P(Ops, RmsNorm) {
  for (const bool offset : {false, true})
    for (int64_t width : {1, 7, 33, 64})
      expect_operation(
          {random_tensor({300, width}, "x"),
           random_tensor({width}, "w")},  // more rows than one part of the sum
          [&](const auto& v) { return ops::rms_norm(v[0], v[1], 1e-5, offset); },
          [&](const auto& v) {
            const Tensor scaled = v[0] * at::rsqrt(v[0].square().mean(-1, true) + 1e-5);
            return scaled * (offset ? v[1] + 1 : v[1]);
          });
}

TEST_P(Ops, GatedActivations) {
  const std::vector<Tensor> inputs = {random_tensor({9, 37}, "gate") * 3, random_tensor({9, 37}, "up")};
  expect_operation(
      inputs, [](const auto& v) { return ops::swiglu(v[0], v[1]); },
      [](const auto& v) { return at::silu(v[0]) * v[1]; });
  expect_operation(
      inputs, [](const auto& v) { return ops::geglu(v[0], v[1]); },
      [](const auto& v) { return at::gelu(v[0], "tanh") * v[1]; });
  expect_operation(  // halves of one tensor, as a fused projection gives them
      {random_tensor({9, 74}, "both")},
      [](const auto& v) { return ops::swiglu(v[0].narrow(1, 0, 37), v[0].narrow(1, 37, 37)); },
      [](const auto& v) { return at::silu(v[0].narrow(1, 0, 37)) * v[0].narrow(1, 37, 37); });
}

TEST_P(Ops, Rope) {
  const Tensor x = random_tensor({11, 3, 20}, "x");
  for (int64_t half : {10, 4}) {  // all of a head, a part of it
    const Tensor angle = random_tensor({11, half}, "angle") * 5, cos = angle.cos(), sin = angle.sin();
    expect_operation(
        {x}, [&](const auto& v) { return ops::rope(v[0], cos, sin); },
        [&](const auto& v) {
          const Tensor c = cos.unsqueeze(1).to(at::kDouble), s = sin.unsqueeze(1).to(at::kDouble);
          const Tensor a = v[0].narrow(2, 0, half), b = v[0].narrow(2, half, half);
          return at::cat({a * c - b * s, b * c + a * s, v[0].narrow(2, 2 * half, 20 - 2 * half)}, 2);
        });
  }
}

TEST_P(Ops, Softcap) {
  expect_operation(
      {random_tensor({5, 9}, "x") * 20}, [](const auto& v) { return ops::softcap(v[0], 30); },
      [](const auto& v) { return at::tanh(v[0] / 30) * 30; });
  const Tensor x = random_tensor({3}, "x");
  EXPECT_TRUE(ops::softcap(x, 0).is_same(x));
}

// One mask for one key, in all tiers, forward and backward.
TEST_P(Ops, Dropout) {
  const uint64_t key = 99;
  choose_tier(Tier::kBaseline);
  const Tensor mask = ops::dropout(at::ones({50, 21}), 0.3, key).to(at::kDouble);
  choose_tier(GetParam());
  EXPECT_NEAR((mask == 0).to(at::kFloat).mean().item<double>(), 0.3, 0.05);
  expect_operation(
      {random_tensor({50, 21}, "x")}, [&](const auto& v) { return ops::dropout(v[0], 0.3, key); },
      [&](const auto& v) { return v[0] * mask; });
  const Tensor x = random_tensor({3}, "x");
  EXPECT_TRUE(ops::dropout(x, 0, key).is_same(x));
}

// One sequence in f64: q [T, H, D], k and v [T, Hkv, D].
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const ops::AttentionOptions& options) {
  const int64_t length = q.size(0), group = q.size(1) / k.size(1);
  auto heads = [](const Tensor& x) { return x.transpose(0, 1); };
  Tensor scores = at::matmul(heads(q), heads(k.repeat_interleave(group, 1)).transpose(1, 2)) * options.scale;
  if (options.softcap > 0) scores = at::tanh(scores / options.softcap) * options.softcap;
  const Tensor at = at::arange(length), age = at.unsqueeze(1) - at;
  const Tensor hidden = options.window > 0 ? (age < 0).logical_or(age >= options.window) : age < 0;
  const Tensor p = at::softmax(scores.masked_fill(hidden, -INFINITY), -1);
  return heads(at::matmul(p, heads(v.repeat_interleave(group, 1))));
}

TEST_P(Ops, Attention) {
  const std::vector<int64_t> lengths = {1, 40, 7, 33};
  const auto formula = [&](const std::vector<Tensor>& x, const ops::AttentionOptions& options) {
    std::vector<Tensor> parts;
    int64_t begin = 0;
    for (const int64_t length : lengths) {
      auto part = [&](const Tensor& y) { return y.narrow(0, begin, length); };
      parts.push_back(attend(part(x[0]), part(x[1]), part(x[2]), options));
      begin += length;
    }
    return at::cat(parts, 0);
  };
  for (const auto precision : {ops::MatmulPrecision::kFull, ops::MatmulPrecision::kBf16})
    for (int64_t kv_heads : {1, 2, 4})
      for (const ops::AttentionOptions& options :
           {ops::AttentionOptions{0.25, 0, 0, precision}, ops::AttentionOptions{0.25, 6, 0, precision},
            ops::AttentionOptions{0.5, 0, 3, precision}, ops::AttentionOptions{0.5, 20, 2, precision}})
        expect_operation(
            {random_tensor({81, 4, 18}, "q"), random_tensor({81, kv_heads, 18}, "k"),
             random_tensor({81, kv_heads, 18}, "v")},
            [&](const auto& x) { return ops::attention(x[0], x[1], x[2], lengths, options); },
            [&](const auto& x) { return formula(x, options); },
            precision == ops::MatmulPrecision::kFull ? 2e-6 : 1.6e-2);  // factors of 8 bits
}

// A token's attention does not depend on the sequences packed beside its own.
TEST_P(Ops, PackedAttentionIsThatOfEachSequence) {
  const std::vector<int64_t> lengths = {5, 33, 1};
  const Tensor q = random_tensor({39, 4, 16}, "q"), k = random_tensor({39, 2, 16}, "k"),
               v = random_tensor({39, 2, 16}, "v");
  const ops::AttentionOptions options{0.25, 9};
  const Tensor all = ops::attention(q, k, v, lengths, options);
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    auto part = [&](const Tensor& x) { return x.narrow(0, begin, length); };
    EXPECT_TRUE(at::equal(ops::attention(part(q), part(k), part(v), {{length}}, options), part(all)));
    begin += length;
  }
}

// Sequences that share their first tokens: what each gives with a copy of its own, and of these the sum of
// all gradients.
TEST_P(Ops, AttentionBehindASharedBeginning) {
  const int64_t shared = 9;
  const std::vector<int64_t> lengths = {10, 30, 17};
  for (const auto precision : {ops::MatmulPrecision::kFull, ops::MatmulPrecision::kBf16})
    for (const int64_t window : {0, 12}) {
      const ops::AttentionOptions options{0.25, window, 0, precision};
      expect_operation(
          {random_tensor({39, 4, 18}, "q"), random_tensor({39, 2, 18}, "k"), random_tensor({39, 2, 18}, "v")},
          [&](const auto& x) {
            return ops::attention(x[0], x[1], x[2], {lengths, shared}, options);
          },
          [&](const auto& x) {
            std::vector<Tensor> parts;
            int64_t begin = shared;
            for (const int64_t length : lengths) {
              auto whole = [&](const Tensor& y) {
                return at::cat({y.narrow(0, 0, shared), y.narrow(0, begin, length - shared)}, 0);
              };
              const Tensor out = attend(whole(x[0]), whole(x[1]), whole(x[2]), options);
              if (parts.empty()) parts.push_back(out.narrow(0, 0, shared));
              parts.push_back(out.narrow(0, shared, length - shared));
              begin += length - shared;
            }
            return at::cat(parts, 0);
          },
          precision == ops::MatmulPrecision::kFull ? 2e-6 : 1.6e-2);
    }
}

TEST_P(Ops, LinearCrossEntropy) {
  const Tensor targets = at::arange(40) * 7 % 61;
  for (const double cap : {0.0, 5.0})
    for (const double size : {1.0, 30.0}) {  // logits of some hundreds
      auto formula = [&](const std::vector<Tensor>& v) {
        Tensor logits = at::linear(v[0], v[1]);
        if (cap > 0) logits = at::tanh(logits / cap) * cap;
        return -(at::log_softmax(logits, -1).gather(1, targets.unsqueeze(1)).squeeze(1) * v[2].detach())
                    .sum();
      };
      expect_operation(
          {random_tensor({40, 24}, "hidden") * size, random_tensor({61, 24}, "head"),
           random_tensor({40}, "w").abs()},
          [&](const auto& v) { return ops::linear_cross_entropy(v[0], v[1], targets, v[2].detach(), cap); },
          formula, 1e-5);
    }
}

// Weights of 16 bits give the very numbers that they give when they are widened beforehand.
TEST_P(Ops, WeightsOf16Bits) {
  const auto gradient_of = [](const Tensor& x, const std::function<Tensor(const Tensor&)>& operation) {
    const Tensor leaf = x.clone().requires_grad_(true);
    (operation(leaf) * 0.5).sum().backward();
    return leaf.grad();
  };
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16})
    for (const int64_t rows : {1, 3, 16, 17, 40}) {
      const Tensor x = random_tensor({rows, 100}, "x"), sum = random_tensor({rows, 70}, "sum"),
                   narrow = random_tensor({70, 100}, "w").to(type), wide = narrow.to(at::kFloat),
                   bias = random_tensor({70}, "bias"), ones = at::ones({rows}),
                   targets = at::arange(rows) * 7 % 70;
      EXPECT_TRUE(ops::widened(narrow).equal(wide));
      EXPECT_TRUE(ops::widened(wide).is_same(wide));
      const std::vector<std::function<Tensor(const Tensor&, const Tensor&)>> operations = {
          [&](const Tensor& h, const Tensor& w) { return ops::product(h.detach(), false, w, true); },
          [&](const Tensor& h, const Tensor& w) { return ops::linear(h, w); },
          [&](const Tensor& h, const Tensor& w) { return ops::linear(h, w, bias); },
          [&](const Tensor& h, const Tensor& w) { return ops::add_linear(sum.clone(), h, w, bias); },
          [&](const Tensor& h, const Tensor& w) {
            return ops::linear_cross_entropy(h, w, targets, ones, 5.0);
          },
          [&](const Tensor& h, const Tensor& w) {
            return ops::linear_loss({h, w}, {h * 2, w}, targets, ones, [](const ops::LogitRows& r) {
              return (r.student - r.teacher).square().mean(1);
            });
          },
          [&](const Tensor& h, const Tensor& w) { return ops::token_log_probs(h, w, targets); }};
      for (size_t i = 0; i < operations.size(); ++i) {
        const auto& operation = operations[i];
        {
          at::NoGradGuard no_grad;
          EXPECT_TRUE(operation(x, narrow).equal(operation(x, wide))) << i << ", rows " << rows;
        }
        if (i == 0 || i + 1 == operations.size()) continue;  // those have no gradient
        EXPECT_TRUE(gradient_of(x, [&](const Tensor& h) { return operation(h, narrow); })
                        .equal(gradient_of(x, [&](const Tensor& h) { return operation(h, wide); })))
            << i << ", rows " << rows;
      }
    }
}

// Several layers of one input: the bits of each alone, whatever their kinds.
TEST_P(Ops, LinearOfSeveralLayers) {
  const auto of = [](int64_t columns, const char* name) { return random_tensor({columns, 300}, name); };
  const Tensor bias = random_tensor({33}, "bias"), int8 = ops::quantised(of(96, "q"), ops::kInt8, "q");
  const std::vector<std::vector<ops::LinearWeights>> lists = {
      {{of(96, "a"), {}}, {of(33, "b"), bias}, {of(5, "c"), {}}},
      {{of(70, "a").to(at::kBFloat16), {}}, {of(33, "b").to(at::kBFloat16), bias}},
      {{int8, {}}, {ops::quantised(of(33, "b"), ops::kInt8, "b"), bias}, {int8, {}}},
      {{int8, {}}, {ops::quantised(of(33, "b"), ops::kQ4, "b"), bias}, {of(7, "c"), {}}}};
  for (const auto precision : {ops::MatmulPrecision::kFull, ops::MatmulPrecision::kBf16})
    for (const int64_t rows : {1, 3, 20, 70})
      for (const auto& layers : lists) {
        const Tensor x = random_tensor({rows, 300}, "x");
        for (const bool gradients : {false, true}) {
          at::AutoGradMode mode(gradients);
          const std::vector<Tensor> all = ops::linear_each(x, layers, precision);
          ASSERT_EQ(all.size(), layers.size());
          for (size_t i = 0; i < layers.size(); ++i)
            EXPECT_TRUE(all[i].equal(ops::linear(x, layers[i].weight, layers[i].bias, precision)))
                << i << ", rows " << rows;
        }
      }
}

// Weights of few bits: with kFull the numbers that they give widened, with kBf16 those of activations in 8
// bits; gradients go through the weights' numbers.
TEST_P(Ops, WeightsOfFewBits) {
  const auto bf16 = ops::MatmulPrecision::kBf16;
  for (const ops::QuantisedForm& form : {ops::kInt8, ops::kQ4})
    for (const int64_t rows : {1, 3, 17, 40}) {
      const Tensor x = random_tensor({rows, 300}, "x"), sum = random_tensor({rows, 70}, "sum"),
                   w = random_tensor({70, 300}, "w"), few = ops::quantised(w, form, "w"),
                   wide = ops::widened(few), bias = random_tensor({70}, "bias"), ones = at::ones({rows}),
                   targets = at::arange(rows) * 7 % 70;
      const double step = form.bits == 8 ? 1.0 / 254 : 1.0 / 30;
      EXPECT_TRUE(ops::is_quantised(few) && !ops::is_quantised(w) && few.sizes() == w.sizes());
      EXPECT_LT((wide - w).abs().max().item<double>(), step * 2.1 * w.abs().max().item<double>());
      EXPECT_TRUE(ops::widened_rows(few, 3, 50).equal(wide.narrow(0, 3, 50)));
      EXPECT_TRUE(ops::linear(x, few, bias).equal(ops::linear(x, wide, bias)));
      EXPECT_TRUE(ops::token_log_probs(x, few, targets).equal(ops::token_log_probs(x, wide, targets)));

      std::vector<Tensor> parts;
      for (const Tensor& part : x.to(at::kDouble).split(form.block, 1)) {
        const Tensor scale = part.abs().amax(1, true) / 127;
        parts.push_back((part / scale).round() * scale);
      }
      const Tensor exact = at::matmul(at::cat(parts, 1), wide.t().to(at::kDouble));
      const auto near = [&](const Tensor& got, const Tensor& wanted, double most, const std::string& what) {
        const double error = (got - wanted).norm().item<double>() / wanted.norm().item<double>();
        EXPECT_LT(error, most) << what << ", rows " << rows;
      };
      {
        at::NoGradGuard no_grad;
        near(ops::linear(x, few, {}, bf16), exact, 1e-6, "linear");
        near(ops::linear(x, few, bias, bf16), exact + bias, 1e-6, "with bias");
        near(ops::add_linear(sum.clone(), x, few, {}, bf16), exact + sum, 1e-6, "added");
      }
      const Tensor leaf = x.clone().requires_grad_(true), slope = random_tensor({rows, 70}, "slope");
      const Tensor y = ops::linear(leaf, few, {}, bf16);
      near(y.detach(), exact, 1e-6, "with gradient");
      y.backward(slope);
      near(leaf.grad(), at::matmul(slope, wide), 0.005, "gradient");

      const Tensor other = x.clone().requires_grad_(true);
      ops::linear_cross_entropy(other, few, targets, ones, 0, bf16).backward();
      Tensor delta = at::softmax(exact, 1).to(at::kFloat);
      delta.scatter_add_(1, targets.unsqueeze(1), at::full({rows, 1}, -1.0));
      near(other.grad(), at::matmul(delta, wide), 0.005, "gradient of cross entropy");
      const Tensor third = x.clone().requires_grad_(true);
      ops::linear_loss(
          {third, few}, {}, targets, ones,
          [](const ops::LogitRows& r) {
            return -at::log_softmax(r.student, 1).gather(1, r.targets.unsqueeze(1)).squeeze(1);
          },
          bf16)
          .backward();
      near(third.grad(), at::matmul(delta, wide), 0.005, "gradient of a loss");
    }
  for (const double tiny : {0.0, 1e-42})  // zeros in place of what has no scale
    EXPECT_TRUE(at::allclose(ops::widened(ops::quantised(at::full({3, 40}, tiny), ops::kQ4, "w")),
                             at::full({3, 40}, tiny), 0, 1e-30));
  for (const double small : {1e-3, 1e-5})  // whose scales f16 has few bits for
    for (const ops::QuantisedForm& form : {ops::kInt8, ops::kQ4})
      EXPECT_TRUE(at::allclose(ops::widened(ops::quantised(random_tensor({3, 40}, "w") * small, form, "w")),
                               random_tensor({3, 40}, "w") * small, 0,
                               small * (form.bits == 8 ? 0.02 : 0.2)));
  EXPECT_THROW(ops::quantised(at::full({3, 40}, 1e8), ops::kInt8, "w"), Error);
  EXPECT_THROW(ops::quantised(at::full({3, 40}, 1e8), ops::kQ4, "w"), Error);
  EXPECT_THROW(ops::quantised(at::full({3, 40}, INFINITY), ops::kInt8, "w"), Error);
  EXPECT_THROW(ops::quantised(at::full({3, 40}, NAN), ops::kQ4, "w"), Error);
}

TEST_P(Ops, ScoresOfTokens) {
  const Tensor hidden = random_tensor({40, 24}, "hidden"), head = random_tensor({61, 24}, "head"),
               targets = at::arange(40) * 7 % 61;
  Tensor logits = at::linear(hidden, head);
  const Tensor exact = at::log_softmax(logits.to(at::kDouble), -1).gather(1, targets.unsqueeze(1)).squeeze(1);
  expect_near(ops::token_log_probs(hidden, head, targets), exact, 1e-6, "from hidden states");
  logits[3][9] = logits[3][50] = 100;  // equals: the first counts
  const ops::TokenScores scores = ops::score_tokens(logits, targets);
  expect_near(scores.log_probs,
              at::log_softmax(logits.to(at::kDouble), -1).gather(1, targets.unsqueeze(1)).squeeze(1), 1e-6,
              "from logits");
  EXPECT_TRUE(at::equal(scores.likeliest, logits.argmax(-1)));
  EXPECT_EQ(scores.likeliest[3].item<int64_t>(), 9);
}

TEST_P(Ops, OptimizerStep) {
  const AdamWStep step{1e-2f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.271f, 0.002997f, 0.7f};
  const Tensor gradient = random_tensor({170, 101}, "g");  // more than one task
  Tensor p = random_tensor({170, 101}, "p"), m = random_tensor({170, 101}, "m") * 0.1,
         v = random_tensor({170, 101}, "v").square();
  const Tensor wide = gradient.to(at::kDouble), g = wide * step.gradient_scale;
  const Tensor m1 = m.to(at::kDouble) * step.beta1 + g * (1.0 - step.beta1);
  const Tensor v1 = v.to(at::kDouble) * step.beta2 + g * g * (1.0 - step.beta2);
  const Tensor p1 = p.to(at::kDouble) * (1.0 - static_cast<double>(step.learning_rate) * step.weight_decay) -
                    static_cast<double>(step.learning_rate) / step.correction1 * m1 /
                        ((v1 / step.correction2).sqrt() + step.epsilon);
  ops::adamw(step, gradient, p, m, v);
  expect_near(m, m1, 2e-7, "m");
  expect_near(v, v1, 2e-7, "v");
  expect_near(p, p1, 1e-6, "parameter");
  const double squares = wide.square().sum().item<double>();
  EXPECT_NEAR(ops::squared_norm(gradient), squares, 1e-12 * squares);
}

INSTANTIATE_TEST_SUITE_P(, Ops, ::testing::ValuesIn(all_tiers()), testing::tier_name);

TEST(Operations, TheTableSaysWhatRunsWhere) {
  const Tier before = chosen_tier();
  for (const Tier tier : all_tiers()) {
    if (tier >= Tier::kBaseline && !kernels_of(tier)) continue;
    choose_tier(tier);
    const std::string table = ops::describe_operations();
    EXPECT_NE(table.find(name_of(tier)), std::string::npos) << table;
    EXPECT_EQ(table.find("onednn") != std::string::npos, tier >= Tier::kOneDnn) << table;
  }
  choose_tier(before);
}

}  // namespace
}  // namespace sdft
