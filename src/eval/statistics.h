// How sure a number is: intervals for rates, means of scores, and means over seeds. What two models did on
// the same examples is compared in paired.h.
#pragma once

#include <cstdint>
#include <vector>

namespace sdft {

double mean(const std::vector<double>& values);                // NaN of none
double standard_deviation(const std::vector<double>& values);  // of a sample (n - 1); NaN for fewer than two

struct Estimate {
  double value;
  double low, high;  // the confidence interval
};

// A rate of successes among independent trials, with Wilson's interval, which stays inside [0, 1] and is of
// use for few trials. No trials: value NaN in [0, 1].
Estimate wilson_interval(uint64_t successes, uint64_t trials, double confidence = 0.95);

// The mean of scores from 0 to 1 over independent examples: Wilson's interval where all are 0 or 1, else
// bounded_mean(). NaN in [0, 1] of none.
Estimate mean_score(const std::vector<double>& scores, double confidence = 0.95);

// The mean of values that lie in [lowest, highest], whatever their distribution. The interval is Student's
// after one more observation at each end of the range, as Bonett & Price (2012, J. Educ. Behav. Stat. 37)
// add them to paired proportions; so ten equal values do not make a point of it, as in a bootstrap, which
// cannot draw what it has not seen. Over a grid of distributions of two values its coverage is at least 92.7
// % for n >= 3 (tools/statistics-fixtures); it lies inside the range and holds the mean.
Estimate bounded_mean(const std::vector<double>& values, double lowest, double highest,
                      double confidence = 0.95);

struct BootstrapOptions {
  uint64_t seed = 0;
  int resamples = 10000;
  double confidence = 0.95;
};

// The mean over examples with a percentile bootstrap interval (examples drawn with replacement), for what has
// no bounds, such as log-likelihoods; scores take mean_score(). Values that are all equal have no interval
// (NaN): their own spread is all that it knows. NaN for no values.
Estimate bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options = {});

// The mean over runs with different seeds, with Student's t interval. One run has no interval, nor have runs
// that agree (low and high NaN): how much others would differ they do not tell.
Estimate mean_over_seeds(const std::vector<double>& runs, double confidence = 0.95);

// The p values of many tests, each such that calling it significant where it is below alpha makes a mistake
// anywhere among all of them with probability below alpha (Holm 1979). NaN stays NaN and counts as no test.
std::vector<double> holm(const std::vector<double>& p_values);

// The chance that at least one of k answers is right, of `samples` answers of which `passed` are: the
// unbiased estimate 1 - C(samples - passed, k) / C(samples, k) of Chen et al. (2021, arXiv 2107.03374), as a
// product, so that nothing overflows. k of 0, or above samples, or more passed than samples, is an internal
// error (std::logic_error).
double pass_at_k(uint64_t samples, uint64_t passed, uint64_t k);

}  // namespace sdft
