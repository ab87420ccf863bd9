#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/random.h"
#include "eval/distributions.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The quantile of sorted values, between the two nearest.
double quantile(const std::vector<double>& sorted, double probability) {
  double place = probability * static_cast<double>(sorted.size() - 1);
  auto below = static_cast<size_t>(place);
  size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

bool all_equal(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
}

}  // namespace

double mean(const std::vector<double>& values) {
  if (values.empty()) return kNan;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return kNan;
  const double centre = mean(values);
  double squares = 0;
  for (double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Estimate wilson_interval(uint64_t successes, uint64_t trials, double confidence) {
  if (trials == 0) return {kNan, 0, 1};
  const auto n = static_cast<double>(trials);
  const double rate = static_cast<double>(successes) / n;
  const double z = normal_quantile(0.5 + confidence / 2);
  const double centre = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  // At the ends the bound is exact; rounding must not move it.
  return {rate, successes == 0 ? 0 : std::max(0.0, centre - half),
          successes == trials ? 1 : std::min(1.0, centre + half)};
}

Estimate mean_score(const std::vector<double>& scores, double confidence) {
  const auto successes = std::count(scores.begin(), scores.end(), 1.0);
  if (successes + std::count(scores.begin(), scores.end(), 0.0) == static_cast<std::ptrdiff_t>(scores.size()))
    return wilson_interval(static_cast<uint64_t>(successes), scores.size(), confidence);
  return bounded_mean(scores, 0, 1, confidence);
}

Estimate bounded_mean(const std::vector<double>& values, double lowest, double highest, double confidence) {
  if (values.empty()) return {kNan, lowest, highest};
  std::vector<double> more = values;
  more.insert(more.end(), {lowest, highest});
  const auto n = static_cast<double>(more.size());
  const double centre = mean(more);
  double squares = 0;
  for (double value : more) squares += (value - centre) * (value - centre);
  const double half = student_t_quantile(0.5 + confidence / 2, n - 1) * std::sqrt(squares) / n;
  const double value = mean(values);
  return {value, std::min(value, std::max(lowest, centre - half)),
          std::max(value, std::min(highest, centre + half))};
}

Estimate bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options) {
  if (values.empty() || all_equal(values)) return {mean(values), kNan, kNan};
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

Estimate mean_over_seeds(const std::vector<double>& runs, double confidence) {
  if (runs.size() < 2 || all_equal(runs)) return {mean(runs), kNan, kNan};
  const auto n = static_cast<double>(runs.size());
  const double half =
      student_t_quantile(0.5 + confidence / 2, n - 1) * standard_deviation(runs) / std::sqrt(n);
  return {mean(runs), mean(runs) - half, mean(runs) + half};
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i)
    if (!std::isnan(p_values[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), kNan);
  double most = 0;  // none is below one before it
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, std::min(1.0, p_values[order[i]] * static_cast<double>(order.size() - i)));
    adjusted[order[i]] = most;
  }
  return adjusted;
}

double pass_at_k(uint64_t samples, uint64_t passed, uint64_t k) {
  if (k == 0 || k > samples || passed > samples)
    throw std::logic_error("pass_at_k: expected 1 <= k <= samples and passed <= samples");
  const uint64_t failed = samples - passed;
  if (failed < k) return 1;
  double none = 1;  // C(failed, k) / C(samples, k)
  for (uint64_t i = failed + 1; i <= samples; ++i)
    none *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - none;
}

}  // namespace sdft
