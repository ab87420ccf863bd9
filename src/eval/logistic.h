// Logistic regression with an L1 penalty and fractional labels, as liblinear fits it (Yuan, Ho and Lin 2012,
// "An improved GLMNET for L1-regularized logistic regression", algorithm newGLMNET). Thread safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdft {

inline constexpr size_t kLogisticFeatures = 3;
using LogisticWeights = std::array<double, kLogisticFeatures>;

struct LogisticRow {
  LogisticWeights x{};
  double label = 0;   // the probability of a positive outcome
  double weight = 1;  // not negative
};

struct LogisticOptions {
  double inverse_penalty = 1;  // C: minimised is |w|_1 + C sum of weight * cross entropy
  uint32_t seed = 0;           // of the order in which the weights are looked at
  // Of the violation of the optimality conditions against that of w = 0; scikit-learn's defaults, and what a
  // result equal to its needs.
  double tolerance = 1e-4;
  int steps = 100;  // of Newton's, at most
};
LogisticWeights fit_logistic(const std::vector<LogisticRow>& rows, const LogisticOptions& options);

// 1 / (1 + exp(-w x)), and the row's share of the sum.
double probability(const LogisticWeights& x, const LogisticWeights& w);
double cross_entropy(const LogisticRow& row, const LogisticWeights& w);

}  // namespace sdft
