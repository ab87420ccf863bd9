// How sure a number is: intervals for rates, means, paired differences, and means over seeds.
#pragma once

#include <cstdint>
#include <vector>

namespace sdft {

double mean(const std::vector<double>& values);  // NaN of none

struct Estimate {
  double value;
  double low, high;  // the confidence interval
};

// A rate of successes among independent trials, with Wilson's interval, which stays inside [0, 1] and is of
// use for few trials. No trials: value NaN in [0, 1].
Estimate wilson_interval(uint64_t successes, uint64_t trials, double confidence = 0.95);

struct BootstrapOptions {
  uint64_t seed = 0;
  int resamples = 10000;
  double confidence = 0.95;
};

// The mean over examples with a percentile bootstrap interval (examples drawn with replacement). NaN for no
// values.
Estimate bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options = {});
// The mean of after[i] - before[i] over the same examples. Unequal sizes are an internal error
// (std::logic_error).
Estimate bootstrap_difference(const std::vector<double>& before, const std::vector<double>& after,
                              const BootstrapOptions& options = {});

// The mean over runs with different seeds, with Student's t interval; one run has no interval (low and high
// NaN).
Estimate mean_over_seeds(const std::vector<double>& runs, double confidence = 0.95);

// Standard deviation of a sample (n - 1); NaN for fewer than two values.
double standard_deviation(const std::vector<double>& values);

// The value below which Student's t with `freedom` degrees falls with `probability`; infinite freedom is the
// normal.
double student_t_quantile(double probability, double freedom);

}  // namespace sdft
