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

// What became of each example between two models: 1->0 (forgotten) and 0->1 (gained), which a difference of
// means hides.
struct Transitions {
  uint64_t examples = 0, forgotten = 0, gained = 0;
  double forgotten_rate = 0, gained_rate = 0;  // of all examples; NaN of none
  // Without what guessing alone would show (Harmon et al. 2025, arXiv 2510.17776): a model either knows an
  // answer or guesses it with probability `chance`, the two models independently; guesses that change then
  // are (1 - before) (1 - after) chance / (1 - chance) of the examples, in either direction, and what is left
  // is at least 0. Without chance the rates themselves.
  double adjusted_forgotten = 0, adjusted_gained = 0;
  // McNemar's exact test (two-sided) of forgotten against gained: the chance of so uneven a split of as many
  // changes if both directions were alike; 1 where nothing changed.
  double p_value = 1;
};
// The verdicts of the same examples in the same order. Unequal sizes, or a chance outside [0, 1), are an
// internal error (std::logic_error).
Transitions transitions(const std::vector<bool>& before, const std::vector<bool>& after, double chance = 0);

// The mean over runs with different seeds, with Student's t interval; one run has no interval (low and high
// NaN).
Estimate mean_over_seeds(const std::vector<double>& runs, double confidence = 0.95);

// Standard deviation of a sample (n - 1); NaN for fewer than two values.
double standard_deviation(const std::vector<double>& values);

// The value below which Student's t with `freedom` degrees falls with `probability`; infinite freedom is the
// normal.
double student_t_quantile(double probability, double freedom);

}  // namespace sdft
