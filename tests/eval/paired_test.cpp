#include "eval/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "base/random.h"
#include "eval/distributions.h"
#include "reference.h"

namespace sdft {
namespace {

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

// --- Tango's interval ---

TEST(Tango, AsTheLikelihoodSays) {
  for (const Json& row : reference("tango")) {
    const Estimate e = tango_interval(row["forgotten"], row["gained"], row["n"]);
    EXPECT_NEAR(e.low, row["low"], 1e-6) << row;
    EXPECT_NEAR(e.high, row["high"], 1e-6) << row;
  }
}

TEST(Tango, NeverCollapsesAndTurnsAround) {
  const double z2 = std::pow(normal_quantile(0.975), 2);
  for (uint64_t n : {1u, 10u, 1000u}) {
    const Estimate none = tango_interval(0, 0, n);
    EXPECT_NEAR(none.high, z2 / (static_cast<double>(n) + z2), 1e-9);
    EXPECT_NEAR(none.low, -none.high, 1e-9);
    for (uint64_t lost = 0; lost <= n; lost += n < 20 ? 1 : 97)
      for (uint64_t won = 0; won + lost <= n; won += n < 20 ? 1 : 97) {
        const Estimate e = tango_interval(lost, won, n), turned = tango_interval(won, lost, n);
        EXPECT_NEAR(e.low, -turned.high, 1e-9);
        EXPECT_LE(e.low, e.value);
        EXPECT_GE(e.high, e.value);
        EXPECT_GT(e.high - e.low, 0.5 / static_cast<double>(n + 4));
        EXPECT_GE(e.low, -1);
        EXPECT_LE(e.high, 1);
      }
  }
  EXPECT_TRUE(std::isnan(tango_interval(0, 0, 0).value));
}

TEST(Tango, Coverage) {
  Random random(21);
  const int kTrials = 3000;
  for (auto [lost, won] : {std::pair{0.1, 0.1}, {0.3, 0.05}, {0.02, 0.0}, {0.05, 0.25}})
    for (int n : {10, 30, 100}) {
      int held = 0;
      for (int t = 0; t < kTrials; ++t) {
        uint64_t forgotten = 0, gained = 0;
        for (int i = 0; i < n; ++i) {
          const double u = random.uniform();
          forgotten += u < lost;
          gained += u >= lost && u < lost + won;
        }
        const Estimate e = tango_interval(forgotten, gained, static_cast<uint64_t>(n));
        held += e.low <= won - lost && won - lost <= e.high;
      }
      EXPECT_GT(held, 0.925 * kTrials) << lost << " " << won << " of " << n;
    }
}

// --- Tests ---

TEST(McNemar, AsStatsmodels) {
  for (const Json& row : reference("mcnemar"))
    EXPECT_NEAR(mcnemar_p(row["forgotten"], row["gained"]), row["p"], 1e-12) << row;
}

TEST(SignFlip, AsScipy) {
  for (const Json& row : reference("sign_flips")) {
    const std::vector<double> before = row["before"], after = row["after"];
    std::vector<double> differences;
    for (size_t i = 0; i < before.size(); ++i) differences.push_back(after[i] - before[i]);
    const double p = row["p"];
    if (row["exact"])
      EXPECT_NEAR(sign_flip_p(differences), p, 1e-12) << row;
    else
      EXPECT_NEAR(sign_flip_p(differences) / p, 1, 0.2) << row;  // 200 draws: 7 %
  }
}

// Of verdicts it is McNemar's test.
TEST(SignFlip, IsMcNemarOfVerdicts) {
  for (auto [lost, won] : {std::pair{5, 1}, {0, 6}, {3, 3}, {12, 4}}) {
    std::vector<double> differences(20, 0);
    differences.insert(differences.end(), static_cast<size_t>(lost), -1);
    differences.insert(differences.end(), static_cast<size_t>(won), 1);
    EXPECT_NEAR(sign_flip_p(differences), mcnemar_p(static_cast<uint64_t>(lost), static_cast<uint64_t>(won)),
                1e-12);
  }
}

TEST(SignFlip, AtItsEnds) {
  EXPECT_TRUE(std::isnan(sign_flip_p({})));
  EXPECT_EQ(sign_flip_p({0, 0}), 1);
  EXPECT_EQ(sign_flip_p({0.3}), 1);
  EXPECT_EQ(sign_flip_p({0.1, 0.2, 0.3, 0.4, 0.5, 0.6}), 2 / 64.0);
  const double least = sign_flip_p(std::vector<double>(200, 0.1));
  EXPECT_NEAR(least, 1 / 100001.0, 1e-12);
  EXPECT_EQ(sign_flip_p(std::vector<double>(200, 0.1)), least) << "the same every time";
}

// Where nothing differs, p is below 0.05 in at most 5 % of the trials.
TEST(SignFlip, KeepsItsLevel) {
  Random random(22);
  for (int n : {8, 25}) {
    int found = 0;
    const int kTrials = 1500;
    for (int t = 0; t < kTrials; ++t) {
      std::vector<double> differences;
      for (int i = 0; i < n; ++i) {
        const double size = random.uniform() * random.uniform();
        differences.push_back(random.chance(0.5) ? size : -size);
      }
      found += sign_flip_p(differences) <= 0.05;
    }
    EXPECT_LT(found, 0.065 * kTrials) << n;
    EXPECT_GT(found, 0.03 * kTrials) << n;
  }
}

TEST(SignFlip, OverTasksWeighsThemAlike) {
  const std::vector<double> few = {1, 1, 1, 1, 1, 1}, many(50, 0);
  EXPECT_EQ(sign_flip_p_over_tasks({few, many}), 2 / 64.0);
  EXPECT_EQ(sign_flip_p_over_tasks({few, {}}), 2 / 64.0);
  EXPECT_TRUE(std::isnan(sign_flip_p_over_tasks({{}, {}})));
  // Six of six outweigh six of a hundred the other way.
  std::vector<double> other(100, 0);
  std::fill_n(other.begin(), 6, -1);
  EXPECT_LT(sign_flip_p_over_tasks({few, other}), 0.1);
  EXPECT_EQ(sign_flip_p([&] {
              auto all = few;
              all.insert(all.end(), other.begin(), other.end());
              return all;
            }()),
            1);
}

// --- What could have been seen ---

TEST(Detectable, ChangeHasThePowerItSays) {
  for (const Json& row : reference("detectable_change")) {
    const double found = detectable_change(row["n"], row["changed"]);
    if (row["difference"].is_null())
      EXPECT_TRUE(std::isnan(found)) << row;
    else
      EXPECT_NEAR(found, row["difference"], 1e-9) << row;
  }
  EXPECT_TRUE(std::isnan(detectable_change(0, 0)));
}

TEST(Detectable, MeanIsNearTheNoncentralT) {
  for (const Json& row : reference("detectable_mean")) {
    const double exact = row["difference"];
    EXPECT_NEAR(detectable_mean(row["n"], row["deviation"]) / exact, 1, row["n"] < 20 ? 0.06 : 0.01) << row;
  }
  EXPECT_TRUE(std::isnan(detectable_mean(5, 0.1)));
  EXPECT_TRUE(std::isnan(detectable_mean(6, 1)));
}

// What it promises comes true.
TEST(Detectable, BySimulation) {
  Random random(23);
  const uint64_t n = 60;
  const double changed = 0.25, difference = detectable_change(n, changed);
  const double lost = (changed - difference) / 2;
  int found = 0;
  const int kTrials = 4000;
  for (int t = 0; t < kTrials; ++t) {
    uint64_t forgotten = 0, gained = 0;
    for (uint64_t i = 0; i < n; ++i) {
      const double u = random.uniform();
      forgotten += u < lost;
      gained += u >= lost && u < changed;
    }
    found += mcnemar_p(forgotten, gained) <= 0.05;
  }
  EXPECT_NEAR(found / static_cast<double>(kTrials), 0.8, 0.02);
}

// --- All together ---

TEST(ComparePairs, ChoosesByTheScores) {
  const PairedComparison verdicts = compare_pairs({1, 1, 1, 0, 0, 1, 1, 1}, {1, 0, 0, 1, 0, 1, 1, 1});
  EXPECT_EQ(verdicts.n, 8u);
  EXPECT_DOUBLE_EQ(verdicts.difference.value, -0.125);
  EXPECT_EQ(verdicts.difference.low, tango_interval(2, 1, 8).low);
  EXPECT_EQ(verdicts.p_value, mcnemar_p(2, 1));
  EXPECT_EQ(verdicts.detectable, detectable_change(8, 3 / 8.0));
  const PairedComparison grades = compare_pairs({0.5, 0.25, 0, 1, 0.5, 0.5}, {0.75, 0.5, 0.5, 1, 0.75, 0.25});
  EXPECT_NEAR(grades.difference.value, 1 / 6.0, 1e-12);
  EXPECT_EQ(grades.difference.high, bounded_mean({0.25, 0.25, 0.5, 0, 0.25, -0.25}, -1, 1).high);
  EXPECT_EQ(grades.p_value, sign_flip_p({0.25, 0.25, 0.5, 0, 0.25, -0.25}));
  // The differences and one at each end.
  EXPECT_EQ(grades.detectable,
            detectable_mean(6, standard_deviation({0.25, 0.25, 0.5, 0, 0.25, -0.25, -1, 1})));
}

TEST(ComparePairs, TenEqualAnswersAreNoProof) {
  for (double score : {1.0, 0.5}) {
    const std::vector<double> same(10, score);
    const PairedComparison c = compare_pairs(same, same);
    EXPECT_EQ(c.difference.value, 0);
    EXPECT_LT(c.difference.low, -0.1);
    EXPECT_GT(c.difference.high, 0.1);
    EXPECT_EQ(c.p_value, 1);
    EXPECT_GT(c.detectable, 0.3);
  }
  EXPECT_TRUE(std::isnan(compare_pairs({}, {}).difference.value));
  EXPECT_TRUE(std::isnan(compare_pairs({}, {}).p_value));
  EXPECT_THROW(compare_pairs({1}, {}), std::logic_error);
}

}  // namespace
}  // namespace sdft
