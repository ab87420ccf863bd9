#include "eval/length_controlled.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "eval/statistics.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kFeatures = 3;  // length, difficulty, model
constexpr size_t kFolds = 5;
constexpr double kGamedWeight = 0.2 / 2;  // there are two gamed baselines

using Features = std::array<double, kFeatures>;

// A judgement as the regression sees it: label is the probability that the model's answer is preferred.
struct Row {
  Features x{};
  double label = 0, weight = 1;
};

double dot(const Features& a, const Features& b) {
  double sum = 0;
  for (size_t i = 0; i < kFeatures; ++i) sum += a[i] * b[i];
  return sum;
}

double logistic(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
double log_one_plus_exp(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

double cross_entropy(const Row& row, const Features& w) {
  const double z = dot(row.x, w);
  return row.weight * (row.label * log_one_plus_exp(-z) + (1 - row.label) * log_one_plus_exp(z));
}

double objective(const std::vector<Row>& rows, double c, const Features& w) {
  double sum = 0, penalty = 0;
  for (const Row& row : rows) sum += cross_entropy(row, w);
  for (double value : w) penalty += std::abs(value);
  return penalty + c * sum;
}

// The step that minimises the objective's quadratic model with its penalty, one coordinate after another.
Features newton_step(const Features& gradient, const std::array<Features, kFeatures>& curvature,
                     const Features& w) {
  Features step{};
  for (int pass = 0; pass < 2000; ++pass) {
    double moved = 0;
    for (size_t j = 0; j < kFeatures; ++j) {
      const double h = curvature[j][j];
      if (h <= 0) continue;  // a feature that is 0 everywhere
      const double slope = gradient[j] + dot(curvature[j], step) - h * step[j];
      const double free = w[j] - slope / h;  // without the penalty
      const double wanted = std::copysign(std::max(std::abs(free) - 1 / h, 0.0), free) - w[j];
      moved = std::max(moved, std::abs(wanted - step[j]));
      step[j] = wanted;
    }
    if (moved < 1e-14) break;
  }
  return step;
}

// min |w|_1 + c sum of cross entropies, by proximal Newton steps (Yuan, Ho and Lin 2012, run to the optimum).
Features fit(const std::vector<Row>& rows, double c) {
  Features w{};
  double value = objective(rows, c, w);
  for (int iteration = 0; iteration < 200; ++iteration) {
    Features gradient{};
    std::array<Features, kFeatures> curvature{};
    for (const Row& row : rows) {
      const double p = logistic(dot(row.x, w)), h = c * row.weight * p * (1 - p);
      for (size_t i = 0; i < kFeatures; ++i) {
        gradient[i] += c * row.weight * (p - row.label) * row.x[i];
        for (size_t j = 0; j < kFeatures; ++j) curvature[i][j] += h * row.x[i] * row.x[j];
      }
    }
    const Features step = newton_step(gradient, curvature, w);
    double scale = 1, moved = 0, next_value = value;
    Features next = w;
    for (; scale > 1e-10; scale /= 2) {
      for (size_t i = 0; i < kFeatures; ++i) next[i] = w[i] + scale * step[i];
      next_value = objective(rows, c, next);
      if (next_value <= value) break;
    }
    if (next_value > value) break;  // rounding leaves nothing to gain
    for (size_t i = 0; i < kFeatures; ++i) moved = std::max(moved, std::abs(next[i] - w[i]));
    w = next;
    value = next_value;
    if (moved < 1e-13) break;
  }
  return w;
}

// The C, of 10 from 1e-4 to 1e4, whose fits foretell the left-out folds best; of equal ones the smallest.
double choose_inverse_penalty(const std::vector<Row>& rows) {
  double best = 0, best_loss = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) {
    const double c = std::pow(10.0, -4 + 8.0 * i / 9);
    double loss = 0;
    for (size_t fold = 0; fold < kFolds; ++fold) {
      std::vector<Row> kept, left_out;
      for (size_t r = 0; r < rows.size(); ++r)
        ((rows.size() - 1 - r) % kFolds == fold ? left_out : kept).push_back(rows[r]);
      const Features w = fit(kept, c);
      double sum = 0;
      for (const Row& row : left_out) sum += cross_entropy(row, w);
      loss += sum / static_cast<double>(left_out.size());
    }
    if (loss < best_loss) {
      best_loss = loss;
      best = c;
    }
  }
  return best;
}

double standard_error(const std::vector<double>& values) {
  return standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
}

std::vector<Row> regression_rows(const std::vector<JudgedPair>& pairs, LengthModel model,
                                 const std::vector<GamedJudgement>& gamed) {
  const bool difficulty = model != LengthModel::kMinimal;
  std::vector<Row> rows;
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
  const std::vector<Row> rows = regression_rows(pairs, model, gamed);
  result.inverse_penalty = choose_inverse_penalty(rows);
  const Features w = fit(rows, result.inverse_penalty);
  result.length_weight = w[0];
  result.difficulty_weight = w[1];
  result.model_weight = w[2];
  std::vector<double> predicted;
  for (const JudgedPair& pair : pairs)
    predicted.push_back(logistic((model == LengthModel::kMinimal ? 0 : w[1] * pair.difficulty) + w[2]));
  result.win_rate = mean(predicted);
  result.standard_error = standard_error(predicted);
  return result;
}

}  // namespace sdft
