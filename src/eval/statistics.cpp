#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/random.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The continued fraction of the incomplete beta function, by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m < 1000; ++m) {
    double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    value *= c * d;
    double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    value *= c * d;
    if (std::abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast below the mean; above it the mirrored one does.
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

// P(T > t) for t >= 0.
double student_t_tail(double t, double freedom) {
  if (std::isinf(freedom)) return 0.5 * std::erfc(t / std::sqrt(2.0));
  return 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

// The quantile of sorted values, between the two nearest.
double quantile(const std::vector<double>& sorted, double probability) {
  double place = probability * static_cast<double>(sorted.size() - 1);
  auto below = static_cast<size_t>(place);
  size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double student_t_quantile(double probability, double freedom) {
  if (probability < 0.5) return -student_t_quantile(1 - probability, freedom);
  double low = 0, high = 1;
  while (student_t_tail(high, freedom) > 1 - probability && high < 1e12) high *= 2;
  for (int i = 0; i < 200 && low < high; ++i) {
    double middle = 0.5 * (low + high);
    if (middle == low || middle == high) break;
    (student_t_tail(middle, freedom) > 1 - probability ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return kNan;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Estimate wilson_interval(uint64_t successes, uint64_t trials, double confidence) {
  if (trials == 0) return {kNan, 0, 1};
  const auto n = static_cast<double>(trials);
  const double rate = static_cast<double>(successes) / n;
  const double z = student_t_quantile(0.5 + confidence / 2, std::numeric_limits<double>::infinity());
  const double centre = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  // At the ends the bound is exact; rounding must not move it.
  return {rate, successes == 0 ? 0 : std::max(0.0, centre - half),
          successes == trials ? 1 : std::min(1.0, centre + half)};
}

Estimate bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options) {
  if (values.empty()) return {kNan, kNan, kNan};
  Random random(options.seed, "bootstrap");
  std::vector<double> means(static_cast<size_t>(std::max(options.resamples, 1)));
  for (double& resampled : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
    resampled = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  const double outside = (1 - options.confidence) / 2;
  return {mean(values), quantile(means, outside), quantile(means, 1 - outside)};
}

Estimate bootstrap_difference(const std::vector<double>& before, const std::vector<double>& after,
                              const BootstrapOptions& options) {
  if (before.size() != after.size())
    throw std::logic_error("bootstrap_difference: the examples are not paired");
  std::vector<double> differences(before.size());
  for (size_t i = 0; i < before.size(); ++i) differences[i] = after[i] - before[i];
  return bootstrap_mean(differences, options);
}

Transitions transitions(const std::vector<bool>& before, const std::vector<bool>& after, double chance) {
  if (before.size() != after.size()) throw std::logic_error("transitions: the examples are not paired");
  if (!(chance >= 0 && chance < 1)) throw std::logic_error("transitions: chance is not in [0, 1)");
  Transitions t;
  t.examples = before.size();
  for (size_t i = 0; i < before.size(); ++i) {
    t.forgotten += before[i] && !after[i];
    t.gained += !before[i] && after[i];
  }
  const auto n = static_cast<double>(t.examples);
  const auto wrong = [&](const std::vector<bool>& verdicts) {
    return static_cast<double>(std::count(verdicts.begin(), verdicts.end(), false)) / n;
  };
  t.forgotten_rate = static_cast<double>(t.forgotten) / n;
  t.gained_rate = static_cast<double>(t.gained) / n;
  const double guessed = wrong(before) * wrong(after) * chance / (1 - chance);
  // In this order NaN of no examples stays NaN.
  t.adjusted_forgotten = std::max(t.forgotten_rate - guessed, 0.0);
  t.adjusted_gained = std::max(t.gained_rate - guessed, 0.0);
  const auto fewer = static_cast<double>(std::min(t.forgotten, t.gained));
  const auto changes = static_cast<double>(t.forgotten + t.gained);
  // P(at most `fewer` of `changes` fair coins) = I_1/2(changes - fewer, fewer + 1).
  if (changes > 0) t.p_value = std::min(1.0, 2 * incomplete_beta(changes - fewer, fewer + 1, 0.5));
  return t;
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return kNan;
  const double centre = mean(values);
  double squares = 0;
  for (double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Estimate mean_over_seeds(const std::vector<double>& runs, double confidence) {
  if (runs.size() < 2) return {mean(runs), kNan, kNan};
  const auto n = static_cast<double>(runs.size());
  const double half =
      student_t_quantile(0.5 + confidence / 2, n - 1) * standard_deviation(runs) / std::sqrt(n);
  return {mean(runs), mean(runs) - half, mean(runs) + half};
}

}  // namespace sdft
