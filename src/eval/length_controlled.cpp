#include "eval/length_controlled.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "eval/logistic.h"
#include "eval/statistics.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kFolds = 5;
constexpr double kGamedWeight = 0.2 / 2;  // there are two gamed baselines

// scikit-learn draws a seed for each fit from numpy's generator, seeded with 123.
class FitSeeds {
 public:
  uint32_t next() {
    while (true)
      if (const auto seed = static_cast<uint32_t>(generator_()) & 0x7fffffffu; seed < 0x7fffffffu)
        return seed;
  }

 private:
  std::mt19937 generator_{123};
};

// The C, of 10 from 1e-4 to 1e4, whose fits foretell the left-out folds best; of equal ones the smallest.
double choose_inverse_penalty(const std::vector<LogisticRow>& rows) {
  constexpr size_t kChoices = 10;
  std::array<double, kChoices> choices{}, loss{};
  for (size_t i = 0; i < kChoices; ++i) choices[i] = std::pow(10.0, -4 + 8.0 * static_cast<double>(i) / 9);
  for (size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<LogisticRow> kept, left_out;
    for (size_t r = 0; r < rows.size(); ++r)
      ((rows.size() - 1 - r) % kFolds == fold ? left_out : kept).push_back(rows[r]);
    FitSeeds seeds;
    for (size_t i = 0; i < kChoices; ++i) {
      const LogisticWeights w = fit_logistic(kept, {choices[i], seeds.next()});
      double sum = 0;
      for (const LogisticRow& row : left_out) sum += cross_entropy(row, w);
      loss[i] += sum / static_cast<double>(left_out.size());
    }
  }
  return choices[static_cast<size_t>(std::min_element(loss.begin(), loss.end()) - loss.begin())];
}

double standard_error(const std::vector<double>& values) {
  return standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
}

// The features are length, difficulty and model.
std::vector<LogisticRow> regression_rows(const std::vector<JudgedPair>& pairs, LengthModel model,
                                         const std::vector<GamedJudgement>& gamed) {
  const bool difficulty = model != LengthModel::kMinimal;
  std::vector<LogisticRow> rows;
  for (const GamedJudgement& g : gamed)
    rows.push_back({{std::tanh(g.length_difference), g.difficulty, 0}, g.preference, kGamedWeight});
  std::vector<double> differences;
  for (const JudgedPair& pair : pairs)
    differences.push_back(static_cast<double>(pair.baseline_length - pair.length));
  const double deviation = standard_deviation(differences);
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (std::isnan(pairs[i].preference)) continue;
    const double scaled = deviation > 0 ? differences[i] / deviation : 0;
    rows.push_back(
        {{std::tanh(scaled), difficulty ? pairs[i].difficulty : 0, 1}, pairs[i].preference - 1, 1});
  }
  return rows;
}

}  // namespace

WinRate win_rate(const std::vector<double>& preferences) {
  WinRate result;
  std::vector<double> values, discrete;
  for (double preference : preferences) {
    if (std::isnan(preference)) {
      ++result.unjudged;
      continue;
    }
    const double value = preference - 1;
    values.push_back(value);
    discrete.push_back(value > 0.5 ? 1 : value < 0.5 ? 0 : 0.5);
    ++(value > 0.5 ? result.wins : value < 0.5 ? result.losses : result.ties);
  }
  result.win_rate = mean(values);
  result.standard_error = standard_error(values);
  result.discrete_win_rate = mean(discrete);
  return result;
}

LengthControlled length_controlled_win_rate(const std::vector<JudgedPair>& pairs, LengthModel model,
                                            const std::vector<GamedJudgement>& gamed) {
  if (gamed.empty() == (model == LengthModel::kRegularised))
    throw std::logic_error("length_controlled_win_rate: gamed judgements go with kRegularised alone");
  LengthControlled result;
  const auto judged = std::count_if(pairs.begin(), pairs.end(),
                                    [](const JudgedPair& pair) { return !std::isnan(pair.preference); });
  if (judged < static_cast<int64_t>(kFolds)) {
    result.win_rate = result.standard_error = kNan;
    return result;
  }
  const std::vector<LogisticRow> rows = regression_rows(pairs, model, gamed);
  result.inverse_penalty = choose_inverse_penalty(rows);
  const LogisticWeights w = fit_logistic(rows, {result.inverse_penalty, FitSeeds().next()});
  result.length_weight = w[0];
  result.difficulty_weight = w[1];
  result.model_weight = w[2];
  std::vector<double> predicted;
  for (const JudgedPair& pair : pairs)
    predicted.push_back(probability({0, model == LengthModel::kMinimal ? 0 : pair.difficulty, 1}, w));
  result.win_rate = mean(predicted);
  result.standard_error = standard_error(predicted);
  return result;
}

}  // namespace sdft
