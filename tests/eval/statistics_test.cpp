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

}  // namespace
}  // namespace sdft
