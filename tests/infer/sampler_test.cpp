#include "infer/sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> random_logits(size_t count, uint64_t seed, double spread) {
  Random random(seed, "logits");
  std::vector<float> logits(count);
  for (float& x : logits) x = static_cast<float>(random.normal() * spread);
  return logits;
}

// The warpers as Transformers states them, with a full sort: the fast way must agree.
Distribution by_the_book(const std::vector<float>& logits, const SamplingOptions& options) {
  struct Token {
    int32_t id;
    double logit;
  };
  std::vector<Token> tokens;
  for (size_t i = 0; i < logits.size(); ++i)
    tokens.push_back({static_cast<int32_t>(i), static_cast<double>(logits[i]) / options.temperature});
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const Token& a, const Token& b) { return a.logit > b.logit; });
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < tokens.size()) {
    const double least = tokens[static_cast<size_t>(options.top_k) - 1].logit;
    while (tokens.back().logit < least) tokens.pop_back();
  }
  auto normalise = [&] {
    Distribution result;
    double total = 0;
    for (const Token& t : tokens) total += std::exp(t.logit - tokens[0].logit);
    for (const Token& t : tokens) result.emplace_back(t.id, std::exp(t.logit - tokens[0].logit) / total);
    return result;
  };
  if (options.top_p < 1) {
    const Distribution all = normalise();
    double tail = 0;  // from the least likely up
    while (tokens.size() > 1 && tail + all[tokens.size() - 1].second <= 1 - options.top_p)
      tail += all[tokens.size() - 1].second, tokens.pop_back();
  }
  return normalise();
}

SamplingOptions with(double temperature, int64_t top_k, double top_p) {
  SamplingOptions options;
  options.temperature = temperature;
  options.top_k = top_k;
  options.top_p = top_p;
  return options;
}

TEST(Sampler, DistributionIsThatOfTheWarpersInOrder) {
  for (double spread : {0.01, 1.0, 6.0})
    for (size_t vocabulary : {size_t{1}, size_t{7}, size_t{96}, size_t{1024}, size_t{5003}})
      for (const SamplingOptions& options :
           {with(1, 0, 1), with(0.7, 0, 1), with(1, 5, 1), with(1, 0, 0.7), with(1, 0, 0.0001),
            with(0.95, 50, 0.7), with(2.5, 300, 0.99), with(0.05, 3, 0.5), with(1, 100000, 1)}) {
        const std::vector<float> logits = random_logits(vocabulary, vocabulary, spread);
        const Distribution got =
            sampling_distribution(logits.data(), static_cast<int64_t>(vocabulary), options);
        const Distribution wanted = by_the_book(logits, options);
        ASSERT_EQ(got.size(), wanted.size()) << options.temperature << ' ' << options.top_k << ' '
                                             << options.top_p << ' ' << vocabulary << ' ' << spread;
        for (size_t i = 0; i < got.size(); ++i) {
          EXPECT_EQ(got[i].first, wanted[i].first);
          EXPECT_NEAR(got[i].second, wanted[i].second, 1e-6);
        }
      }
}

TEST(Sampler, TopKKeepsEqualsOfTheLast) {
  const std::vector<float> logits = {1, 3, 2, 2, 0, 2};
  const Distribution got = sampling_distribution(logits.data(), 6, with(1, 2, 1));
  std::vector<int32_t> ids;
  for (const auto& item : got) ids.push_back(item.first);
  EXPECT_THAT(ids, ElementsAre(1, 2, 3, 5));
}

TEST(Sampler, TopPKeepsTheTokenThatReachesIt) {
  std::vector<float> logits;
  for (double p : {0.5, 0.25, 0.125, 0.125}) logits.push_back(static_cast<float>(std::log(p)));
  EXPECT_EQ(sampling_distribution(logits.data(), 4, with(1, 0, 0.4)).size(), 1u);
  EXPECT_EQ(sampling_distribution(logits.data(), 4, with(1, 0, 0.6)).size(), 2u);
  EXPECT_EQ(sampling_distribution(logits.data(), 4, with(1, 0, 0.8)).size(), 3u);
  EXPECT_EQ(sampling_distribution(logits.data(), 4, with(1, 0, 1e-9)).size(), 1u);
}

TEST(Sampler, GreedyTakesTheFirstOfEquals) {
  const std::vector<float> logits = {-1, 4, 0, 4, 2};
  Random random(1, "x");
  EXPECT_EQ(sample_token(logits.data(), 5, with(0, 0, 1), random), 1);
  EXPECT_EQ(random.count(), 0u) << "greedy draws nothing";
}

TEST(Sampler, MaskedTokensAreNeverDrawn) {
  const float none = -std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {none, 0, none, 1, none};
  for (const SamplingOptions& options :
       {with(1, 0, 1), with(1, 4, 1), with(1, 0, 0.999), with(1, 4, 0.999)}) {
    Random random(5, "masked");
    for (int i = 0; i < 2000; ++i) {
      const int32_t token = sample_token(logits.data(), 5, options, random);
      EXPECT_TRUE(token == 1 || token == 3) << token;
    }
  }
}

TEST(Sampler, DrawsFollowTheDistributionWithOneNumberEach) {
  const std::vector<float> logits = random_logits(200, 3, 2.0);
  for (const SamplingOptions& options :
       {with(1, 0, 1), with(0.8, 20, 1), with(1.3, 0, 0.9), with(0.95, 50, 0.7)}) {
    const Distribution wanted = sampling_distribution(logits.data(), 200, options);
    std::vector<double> counts(200, 0.0);
    Random random(11, "draws");
    const int draws = 200000;
    for (int i = 0; i < draws; ++i)
      counts[static_cast<size_t>(sample_token(logits.data(), 200, options, random))]++;
    EXPECT_EQ(random.count(), static_cast<uint64_t>(draws));
    double chi2 = 0, expected_sum = 0;
    size_t cells = 0;
    for (const auto& [id, p] : wanted) {
      const double expected = p * draws, seen = counts[static_cast<size_t>(id)];
      expected_sum += seen;
      if (expected < 5) continue;
      chi2 += (seen - expected) * (seen - expected) / expected;
      ++cells;
    }
    EXPECT_EQ(expected_sum, draws) << "a token outside the distribution was drawn";
    // Mean = cells, deviation = sqrt(2 cells): six deviations.
    EXPECT_LT(chi2, static_cast<double>(cells) + 6 * std::sqrt(2.0 * static_cast<double>(cells)));
  }
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {nan, nan, nan};
  Random random(1, "x");
  for (const SamplingOptions& options : {with(0, 0, 1), with(1, 2, 0.9)}) try {
      sample_token(logits.data(), 3, options, random);
      FAIL() << "drew a token";
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("not finite"));
    }
}

TEST(Sampler, ImpossibleOptionsAreReportedTogether) {
  EXPECT_THAT(problems_of(with(-1, -2, 0)),
              ElementsAre(HasSubstr("temperature"), HasSubstr("top_k"), HasSubstr("top_p")));
  EXPECT_THAT(problems_of(with(0, 0, 1)), ::testing::IsEmpty());
  EXPECT_THAT(problems_of(with(1, INT64_MAX, 1)), ::testing::IsEmpty());
  EXPECT_THAT(problems_of(with(1, 0, 1.5)), ElementsAre(HasSubstr("top_p")));
  for (const double none : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    EXPECT_THAT(problems_of(with(none, 0, none)), ElementsAre(HasSubstr("temperature"), HasSubstr("top_p")));
}

}  // namespace
}  // namespace sdft
