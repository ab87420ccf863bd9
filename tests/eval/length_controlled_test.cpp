#include "eval/length_controlled.h"

#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/random.h"
#include "testing.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

LengthModel model_named(const std::string& name) {
  return name == "length_controlled_v1"      ? LengthModel::kRegularised
         : name == "length_controlled_noreg" ? LengthModel::kWithDifficulty
                                             : LengthModel::kMinimal;
}

std::vector<JudgedPair> pairs_of(const Json& judged) {
  std::vector<JudgedPair> pairs;
  for (size_t i = 0; i < judged["preference"].size(); ++i)
    pairs.push_back({judged["preference"][i].is_null() ? kNan : judged["preference"][i].get<double>(),
                     judged["len_1"][i].get<int64_t>(), judged["len_2"][i].get<int64_t>(),
                     judged["difficulty"][i].get<double>()});
  return pairs;
}

std::vector<GamedJudgement> gamed_of(const Json& judged) {
  std::vector<GamedJudgement> gamed;
  if (judged.contains("gamed"))
    for (size_t i = 0; i < judged["gamed"]["index"].size(); ++i)
      gamed.push_back({judged["gamed"]["preference"][i].get<double>(),
                       judged["gamed"]["std_delta_len"][i].get<double>(),
                       judged["difficulty"][judged["gamed"]["index"][i].get<size_t>()].get<double>()});
  return gamed;
}

// tools/alpaca-fixtures made the file with alpaca_eval 0.6.6.
Json judged_files() { return read_json(std::string(SDFT_SOURCE_DIR) + "/tests/eval/length_controlled.json"); }

TEST(WinRate, IsAlpacaEvals) {
  const Json files = judged_files();
  ASSERT_EQ(files["cases"].size(), 6u);
  for (const Json& judged : files["cases"]) {
    SCOPED_TRACE(judged["name"].get<std::string>());
    std::vector<double> preferences;
    for (const JudgedPair& pair : pairs_of(judged)) preferences.push_back(pair.preference);
    const WinRate rate = win_rate(preferences);
    const Json& expected = judged["expected"];
    EXPECT_NEAR(100 * rate.win_rate, expected["win_rate"].get<double>(), 1e-10);
    EXPECT_NEAR(100 * rate.standard_error, expected["standard_error"].get<double>(), 1e-10);
    EXPECT_NEAR(100 * rate.discrete_win_rate, expected["discrete_win_rate"].get<double>(), 1e-10);
    EXPECT_EQ(static_cast<double>(rate.wins), expected["n_wins"]);
    EXPECT_EQ(static_cast<double>(rate.losses), expected["n_wins_base"]);
    EXPECT_EQ(static_cast<double>(rate.ties), expected["n_draws"]);
    EXPECT_EQ(static_cast<double>(preferences.size() - rate.unjudged), expected["n_total"]);
  }
}

TEST(WinRate, OfNothingIsUnknown) {
  const WinRate none = win_rate({kNan, kNan});
  EXPECT_TRUE(std::isnan(none.win_rate));
  EXPECT_EQ(none.unjudged, 2u);
  EXPECT_TRUE(std::isnan(win_rate({2}).standard_error));
}

TEST(LengthControlled, IsAlpacaEvals) {
  const Json files = judged_files();
  ASSERT_EQ(files["cases"].size(), 6u);
  for (const Json& judged : files["cases"]) {
    SCOPED_TRACE(judged["name"].get<std::string>());
    const LengthControlled rate = length_controlled_win_rate(
        pairs_of(judged), model_named(judged["glm"].get<std::string>()), gamed_of(judged));
    const Json& expected = judged["expected"];  // in percent
    EXPECT_NEAR(100 * rate.win_rate, expected["length_controlled_winrate"].get<double>(), 1e-9);
    EXPECT_NEAR(100 * rate.standard_error, expected["lc_standard_error"].get<double>(), 1e-9);
    const auto weights = expected["weights"].get<std::vector<double>>();
    EXPECT_NEAR(rate.length_weight, weights.front(), 1e-9);
    EXPECT_NEAR(rate.model_weight, weights.back(), 1e-9);
    if (weights.size() == 3) {
      EXPECT_NEAR(rate.difficulty_weight, weights[1], 1e-9);
    }
  }
}

TEST(LengthControlled, LengthAloneWinsNothing) {
  // The judge takes the longer answer nine times in ten, and the model is longer in most pairs.
  Random random(2);
  std::vector<JudgedPair> pairs;
  std::vector<double> preferences;
  for (int i = 0; i < 1000; ++i) {
    const bool longer = random.chance(0.75);
    pairs.push_back({longer == random.chance(0.9) ? 2.0 : 1.0, 500, longer ? 900 : 100, 0});
    preferences.push_back(pairs.back().preference);
  }
  EXPECT_GT(win_rate(preferences).win_rate, 0.65);
  EXPECT_NEAR(length_controlled_win_rate(pairs, LengthModel::kMinimal).win_rate, 0.5, 0.03);
}

TEST(LengthControlled, EqualLengthsLeaveTheWinRate) {
  Random random(1);
  std::vector<JudgedPair> pairs;
  std::vector<double> preferences;
  for (int i = 0; i < 1000; ++i) {
    pairs.push_back({random.chance(0.7) ? 2.0 : 1.0, 300, 300, 0});
    preferences.push_back(pairs.back().preference);
  }
  const LengthControlled rate = length_controlled_win_rate(pairs, LengthModel::kMinimal);
  // The penalty pulls it a little towards 1/2.
  EXPECT_NEAR(rate.win_rate, win_rate(preferences).win_rate, 0.005);
  EXPECT_EQ(rate.length_weight, 0);
}

TEST(LengthControlled, SaysWhatItCannot) {
  EXPECT_TRUE(std::isnan(length_controlled_win_rate({{2, 1, 2}, {1, 3, 4}}, LengthModel::kMinimal).win_rate));
  EXPECT_THROW(length_controlled_win_rate({}, LengthModel::kRegularised), std::logic_error);
  EXPECT_THROW(length_controlled_win_rate({}, LengthModel::kMinimal, {{0.5, 1, 0}}), std::logic_error);
}

}  // namespace
}  // namespace sdft
