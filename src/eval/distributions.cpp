#include "eval/distributions.h"

#include <cmath>
#include <limits>

namespace sdft {
namespace {

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

// P(T > t) for t >= 0.
double student_t_tail(double t, double freedom) {
  if (std::isinf(freedom)) return 0.5 * std::erfc(t / std::sqrt(2.0));
  return 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double times_log(double count, double probability) { return count == 0 ? 0 : count * std::log(probability); }

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast below the mean; above it the mirrored one does.
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

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

double normal_quantile(double probability) {
  return student_t_quantile(probability, std::numeric_limits<double>::infinity());
}

double binomial_mass(int64_t k, int64_t trials, double probability) {
  if (k < 0 || k > trials) return 0;
  const auto n = static_cast<double>(trials), hits = static_cast<double>(k);
  return std::exp(std::lgamma(n + 1) - std::lgamma(hits + 1) - std::lgamma(n - hits + 1) +
                  times_log(hits, probability) + times_log(n - hits, 1 - probability));
}

double binomial_below(int64_t k, int64_t trials, double probability) {
  if (k < 0 || k >= trials) return k < 0 ? 0 : 1;
  return incomplete_beta(static_cast<double>(trials - k), static_cast<double>(k + 1), 1 - probability);
}

}  // namespace sdft
