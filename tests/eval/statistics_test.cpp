#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "base/random.h"

namespace sdft {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Printed tables of Student's t and the normal distribution.
TEST(StudentT, Tables) {
  EXPECT_NEAR(student_t_quantile(0.975, kInfinite), 1.959963984540054, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.995, kInfinite), 2.5758293035489004, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.706204736432095, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 2), 4.302652729749464, 1e-11);
  EXPECT_NEAR(student_t_quantile(0.975, 4), 2.7764451051977987, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.95, 10), 1.8124611228107335, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 1e7), 1.9599642, 1e-5);
  EXPECT_NEAR(student_t_quantile(0.5, 3), 0, 1e-12);
  EXPECT_DOUBLE_EQ(student_t_quantile(0.025, 5), -student_t_quantile(0.975, 5));
  // One degree is the Cauchy distribution, two have a closed form as well.
  for (double p : {0.6, 0.8, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(student_t_quantile(p, 1) / std::tan(M_PI * (p - 0.5)), 1, 1e-11) << p;
    double two = (2 * p - 1) * std::sqrt(2.0) / std::sqrt(1 - (2 * p - 1) * (2 * p - 1));
    EXPECT_NEAR(student_t_quantile(p, 2) / two, 1, 1e-11) << p;
  }
}

TEST(Wilson, SolvesItsEquation) {
  const double z = student_t_quantile(0.975, kInfinite);
  for (uint64_t n : {1u, 5u, 10u, 112u, 1319u}) {
    for (uint64_t k = 0; k <= n; k += n < 20 ? 1 : 37) {
      Estimate rate = wilson_interval(k, n);
      double p = static_cast<double>(k) / static_cast<double>(n);
      EXPECT_DOUBLE_EQ(rate.value, p);
      EXPECT_LE(rate.low, p);
      EXPECT_GE(rate.high, p);
      // The bounds are where the score test just rejects: (p - bound)^2 = z^2 bound (1 - bound) / n.
      for (double bound : {rate.low, rate.high})
        EXPECT_NEAR((p - bound) * (p - bound), z * z * bound * (1 - bound) / static_cast<double>(n), 1e-12);
    }
  }
  Estimate none = wilson_interval(0, 0);
  EXPECT_TRUE(std::isnan(none.value));
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 1);
}

TEST(Bootstrap, IsSeededAndCoversTheMean) {
  std::vector<double> values;
  Random random(1);
  for (int i = 0; i < 400; ++i) values.push_back(random.normal());
  Estimate a = bootstrap_mean(values, {7}), b = bootstrap_mean(values, {7}), c = bootstrap_mean(values, {8});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
  // Close to the normal interval for many values.
  double half = 1.96 * standard_deviation(values) / std::sqrt(400.0);
  EXPECT_NEAR(a.low, a.value - half, 0.006);
  EXPECT_NEAR(a.high, a.value + half, 0.006);
  Estimate wide = bootstrap_mean(values, {7, 10000, 0.99});
  EXPECT_LT(wide.low, a.low);
  EXPECT_GT(wide.high, a.high);
}

// Of 95 % intervals about 95 % must hold the true mean.
TEST(Bootstrap, Coverage) {
  Random random(2);
  int held = 0;
  const int kTrials = 400;
  for (int t = 0; t < kTrials; ++t) {
    std::vector<double> values;
    for (int i = 0; i < 60; ++i) values.push_back(random.chance(0.3) ? 1 : 0);
    Estimate rate = bootstrap_mean(values, {static_cast<uint64_t>(t), 500});
    held += rate.low <= 0.3 && rate.high >= 0.3;
  }
  EXPECT_GT(held, 0.90 * kTrials);
  EXPECT_LT(held, 0.99 * kTrials);
}

TEST(Bootstrap, PairedDifferenceSeesWhatUnpairedDoesNot) {
  std::vector<double> before, after;
  Random random(4);
  for (int i = 0; i < 100; ++i) {
    before.push_back(10 * random.normal());
    after.push_back(before.back() + 0.5 + 0.1 * random.normal());
  }
  Estimate gain = bootstrap_difference(before, after);
  EXPECT_NEAR(gain.value, 0.5, 0.05);
  EXPECT_GT(gain.low, 0.4);
  EXPECT_LT(gain.high, 0.6);
  EXPECT_THROW(bootstrap_difference({1}, {1, 2}), std::logic_error);
  EXPECT_TRUE(std::isnan(bootstrap_mean({}).value));
  Estimate one = bootstrap_mean({3});
  EXPECT_EQ(one.low, 3);
  EXPECT_EQ(one.high, 3);
}

TEST(MeanOverSeeds, StudentInterval) {
  Estimate mean = mean_over_seeds({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(mean.value, 3);
  double half = 2.7764451051977987 * std::sqrt(2.5) / std::sqrt(5.0);
  EXPECT_NEAR(mean.low, 3 - half, 1e-10);
  EXPECT_NEAR(mean.high, 3 + half, 1e-10);
  EXPECT_EQ(mean_over_seeds({7}).value, 7);
  EXPECT_TRUE(std::isnan(mean_over_seeds({7}).low));
  EXPECT_TRUE(std::isnan(standard_deviation({7})));
}

TEST(Mean, OfNoneIsNotANumber) {
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_DOUBLE_EQ(mean({1, 2, 6}), 3);
}

// Verdicts of `know` known answers among `count`, the others guessed.
std::vector<bool> guesser(size_t count, size_t from, size_t know, double chance, Random& random) {
  std::vector<bool> verdicts(count);
  for (size_t i = 0; i < count; ++i) verdicts[i] = (i >= from && i < from + know) || random.chance(chance);
  return verdicts;
}

TEST(Transitions, Counts) {
  const Transitions t = transitions({true, true, true, false, false}, {true, false, false, true, false});
  EXPECT_EQ(t.examples, 5u);
  EXPECT_EQ(t.forgotten, 2u);
  EXPECT_EQ(t.gained, 1u);
  EXPECT_DOUBLE_EQ(t.forgotten_rate, 0.4);
  EXPECT_DOUBLE_EQ(t.gained_rate, 0.2);
  EXPECT_DOUBLE_EQ(t.adjusted_forgotten, 0.4);  // open answers
  EXPECT_DOUBLE_EQ(t.adjusted_gained, 0.2);
  // 2/5 wrong before, 3/5 after; of four choices a third of their product.
  const Transitions c =
      transitions({true, true, true, false, false}, {true, false, false, true, false}, 0.25);
  EXPECT_DOUBLE_EQ(c.adjusted_forgotten, 0.4 - 0.4 * 0.6 / 3);
  EXPECT_DOUBLE_EQ(c.adjusted_gained, 0.2 - 0.4 * 0.6 / 3);
  EXPECT_TRUE(std::isnan(transitions({}, {}).adjusted_forgotten));
  EXPECT_EQ(transitions({}, {}).p_value, 1);
  EXPECT_THROW(transitions({true}, {}), std::logic_error);
  EXPECT_THROW(transitions({true}, {true}, 1), std::logic_error);
}

// Who guesses everything has nothing to forget, however much its verdicts change.
TEST(Transitions, GuessersForgetNothing) {
  Random random(5);
  for (double chance : {0.1, 0.25, 0.5}) {
    const size_t n = 20000;
    const auto before = guesser(n, 0, 0, chance, random), after = guesser(n, 0, 0, chance, random);
    const Transitions t = transitions(before, after, chance);
    EXPECT_NEAR(t.forgotten_rate, chance * (1 - chance), 0.012);
    EXPECT_LT(t.adjusted_forgotten, 0.012) << chance;
    EXPECT_LT(t.adjusted_gained, 0.012) << chance;
    EXPECT_GT(t.p_value, 0.001);
  }
}

// Known before: the first 12000; after: 3000 to 14000. 3000 are forgotten, 2000 gained, whatever is guessed.
TEST(Transitions, SeesKnowledgeThroughGuesses) {
  Random random(6);
  for (double chance : {0.0, 0.25, 0.5}) {
    const size_t n = 20000;
    const Transitions t =
        transitions(guesser(n, 0, 12000, chance, random), guesser(n, 3000, 11000, chance, random), chance);
    // An example forgotten is right by chance still: 1->0 shows (1 - chance) of them, and guessing besides.
    // The independent model's estimate, which knows only the rates, is off by what the two hold in common.
    const double before = 0.6 + 0.4 * chance, after = 0.55 + 0.45 * chance;
    const double shown = 0.15 * (1 - chance) + 0.3 * chance * (1 - chance);
    EXPECT_NEAR(t.forgotten_rate, shown, 0.012);
    EXPECT_NEAR(t.adjusted_forgotten, shown - (1 - before) * (1 - after) * chance / (1 - chance), 0.012);
    EXPECT_LT(t.p_value, 1e-6);
  }
}

// Sums of binomial coefficients.
TEST(Transitions, McNemarIsExact) {
  const auto p_value = [](size_t forgotten, size_t gained) {
    std::vector<bool> before(forgotten, true), after(forgotten, false);
    before.resize(forgotten + gained + 3, false);
    after.resize(forgotten + gained, true);
    after.resize(forgotten + gained + 3, false);
    return transitions(before, after).p_value;
  };
  EXPECT_DOUBLE_EQ(p_value(0, 0), 1);
  EXPECT_DOUBLE_EQ(p_value(4, 4), 1);
  EXPECT_NEAR(p_value(1, 0), 1, 1e-14);
  EXPECT_NEAR(p_value(5, 0), 2 / 32.0, 1e-14);
  EXPECT_NEAR(p_value(0, 10), 2 / 1024.0, 1e-14);
  EXPECT_NEAR(p_value(8, 2), 2 * (1 + 10 + 45) / 1024.0, 1e-13);
  EXPECT_NEAR(p_value(3, 9), 2 * (1 + 12 + 66 + 220) / 4096.0, 1e-13);
  EXPECT_LT(p_value(700, 500), 1e-7);
}

}  // namespace
}  // namespace sdft
