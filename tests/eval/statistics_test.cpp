#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "base/random.h"
#include "eval/distributions.h"
#include "reference.h"

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

TEST(Bootstrap, KnowsNothingOfEqualValues) {
  EXPECT_TRUE(std::isnan(bootstrap_mean({}).value));
  for (const std::vector<double>& values : {std::vector<double>{3}, {3, 3, 3}}) {
    EXPECT_EQ(bootstrap_mean(values).value, 3);
    EXPECT_TRUE(std::isnan(bootstrap_mean(values).low));
  }
}

TEST(MeanOverSeeds, StudentInterval) {
  Estimate mean = mean_over_seeds({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(mean.value, 3);
  double half = 2.7764451051977987 * std::sqrt(2.5) / std::sqrt(5.0);
  EXPECT_NEAR(mean.low, 3 - half, 1e-10);
  EXPECT_NEAR(mean.high, 3 + half, 1e-10);
  EXPECT_EQ(mean_over_seeds({7}).value, 7);
  EXPECT_TRUE(std::isnan(mean_over_seeds({7}).low));
  EXPECT_TRUE(std::isnan(mean_over_seeds({7, 7, 7}).low)) << "a point";
  EXPECT_TRUE(std::isnan(standard_deviation({7})));
}

TEST(Mean, OfNoneIsNotANumber) {
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_DOUBLE_EQ(mean({1, 2, 6}), 3);
}

TEST(Wilson, AsStatsmodels) {
  for (const Json& row : reference("wilson")) {
    const Estimate rate = wilson_interval(row["k"], row["n"]);
    EXPECT_NEAR(rate.low, row["low"], 1e-12) << row;
    EXPECT_NEAR(rate.high, row["high"], 1e-12) << row;
  }
}

TEST(MeanScore, ChoosesByTheScores) {
  const Estimate rate = mean_score({1, 0, 1, 1}), wilson = wilson_interval(3, 4);
  EXPECT_EQ(rate.value, 0.75);
  EXPECT_EQ(rate.low, wilson.low);
  EXPECT_EQ(rate.high, wilson.high);
  EXPECT_EQ(mean_score({1, 0.5, 1}).low, bounded_mean({1, 0.5, 1}, 0, 1).low);
  EXPECT_TRUE(std::isnan(mean_score({}).value));
  EXPECT_EQ(mean_score({}).low, 0);
  EXPECT_EQ(mean_score({}).high, 1);
}

TEST(BoundedMean, AsScipy) {
  for (const Json& row : reference("bounded_mean")) {
    const Estimate e = bounded_mean(row["values"], row["lowest"], row["highest"]);
    EXPECT_NEAR(e.low, row["low"], 1e-12) << row;
    EXPECT_NEAR(e.high, row["high"], 1e-12) << row;
  }
}

// No interval is a point, and each holds its mean and stays in the range.
TEST(BoundedMean, NeverCollapses) {
  for (size_t n : {1u, 2u, 10u, 1000u})
    for (double score : {0.0, 0.3, 0.9, 1.0}) {
      const Estimate e = mean_score(std::vector<double>(n, score));
      EXPECT_NEAR(e.value, score, 1e-12);
      EXPECT_LE(e.low, e.value);
      EXPECT_GE(e.high, e.value);
      EXPECT_GE(e.low, 0);
      EXPECT_LE(e.high, 1);
      EXPECT_GT(e.high - e.low, 1.0 / static_cast<double>(n + 2));
    }
  Random random(11);  // of many different values it is Student's
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(random.uniform());
  const Estimate e = bounded_mean(values, 0, 1);
  const double half = 1.96 * standard_deviation(values) / std::sqrt(5000.0);
  EXPECT_NEAR(e.low, e.value - half, 0.02 * half);
  EXPECT_NEAR(e.high, e.value + half, 0.02 * half);
}

// Of 95 % intervals at least about 95 % must hold the true mean, for any shape and few values.
TEST(BoundedMean, Coverage) {
  struct Shape {
    double mean;
    double (*draw)(Random&);
  };
  const Shape shapes[] = {
      {0.5, [](Random& r) { return r.uniform(); }},
      {0.25, [](Random& r) { return r.uniform() * r.uniform(); }},
      {0.855, [](Random& r) { return r.chance(0.95) ? 0.9 : 0.0; }},
      {0.145, [](Random& r) { return r.chance(0.1) ? 1.0 : 0.1 * r.uniform(); }},
      {0.975, [](Random& r) { return r.chance(0.95) ? 1.0 : 0.5; }},
      {0.5, [](Random& r) { return 0.49 + 0.02 * r.uniform(); }},
  };
  Random random(12);
  const int kTrials = 2000;
  for (const Shape& shape : shapes)
    for (int n : {3, 10, 40}) {
      int held = 0;
      for (int t = 0; t < kTrials; ++t) {
        std::vector<double> values;
        for (int i = 0; i < n; ++i) values.push_back(shape.draw(random));
        const Estimate e = mean_score(values);
        held += e.low <= shape.mean && shape.mean <= e.high;
      }
      EXPECT_GT(held, 0.935 * kTrials) << shape.mean << " of " << n;
    }
}

TEST(Holm, AsStatsmodels) {
  for (const Json& row : reference("holm")) {
    const std::vector<double> adjusted = holm(row["p"]);
    ASSERT_EQ(adjusted.size(), row["adjusted"].size());
    for (size_t i = 0; i < adjusted.size(); ++i) EXPECT_NEAR(adjusted[i], row["adjusted"][i], 1e-14) << row;
  }
  const double nan = std::nan("");
  const std::vector<double> some = holm({nan, 0.02, nan, 0.03});  // two tests
  EXPECT_TRUE(std::isnan(some[0]));
  EXPECT_EQ(some[1], 0.04);
  EXPECT_EQ(some[3], 0.04);
  EXPECT_TRUE(holm({}).empty());
}

TEST(PassAtK, AsBinomials) {
  for (const Json& row : reference("pass_at_k"))
    EXPECT_NEAR(pass_at_k(row["n"], row["c"], row["k"]), row["value"], 1e-12) << row;
  EXPECT_DOUBLE_EQ(pass_at_k(10, 3, 1), 0.3);
  EXPECT_GT(pass_at_k(1000000, 10, 1000), 0.0099);  // no overflow: about 1 - (1 - 1e-3)^10
  EXPECT_LT(pass_at_k(1000000, 10, 1000), 0.0100);
  EXPECT_THROW(pass_at_k(5, 1, 0), std::logic_error);
  EXPECT_THROW(pass_at_k(5, 1, 6), std::logic_error);
  EXPECT_THROW(pass_at_k(5, 6, 1), std::logic_error);
}

// Unbiased: its mean over draws of n answers is the chance that one of k is right.
TEST(PassAtK, IsUnbiased) {
  Random random(13);
  double sum = 0;
  const int kTrials = 20000;
  for (int t = 0; t < kTrials; ++t) {
    uint64_t passed = 0;
    for (int i = 0; i < 8; ++i) passed += random.chance(0.2);
    sum += pass_at_k(8, passed, 3);
  }
  EXPECT_NEAR(sum / kTrials, 1 - 0.8 * 0.8 * 0.8, 0.006);
}

}  // namespace
}  // namespace sdft
