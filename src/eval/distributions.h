// The distributions that tests and intervals need.
#pragma once

#include <cstdint>

namespace sdft {

// I_x(a, b), the share of the beta distribution below x. a, b > 0.
double incomplete_beta(double a, double b, double x);

// The value below which Student's t with `freedom` degrees falls with `probability`; infinite freedom is the
// normal.
double student_t_quantile(double probability, double freedom);
double normal_quantile(double probability);

// P(X = k) and P(X <= k) of the successes X among `trials`; 0 and 0 for a k below 0.
double binomial_mass(int64_t k, int64_t trials, double probability);
double binomial_below(int64_t k, int64_t trials, double probability);

}  // namespace sdft
