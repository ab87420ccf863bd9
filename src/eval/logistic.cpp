#include "eval/logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace sdft {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kRidge = 1e-12;     // keeps the curvature of a feature that is 0 everywhere above 0
constexpr double kLongestStep = 10;  // of a weight in one look at it
constexpr double kDecrease = 0.01;   // of the promised decrease that a step has to bring
constexpr int kInnerPasses = 1000, kHalvings = 20;

double dot(const LogisticWeights& a, const LogisticWeights& b) {
  double sum = 0;
  for (size_t i = 0; i < kLogisticFeatures; ++i) sum += a[i] * b[i];
  return sum;
}

double log_one_plus_exp(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

double norm(const LogisticWeights& w) {
  double sum = 0;
  for (double value : w) sum += std::abs(value);
  return sum;
}

// How far the objective's slope at a weight is from what the penalty allows, and whether a weight of 0 is so
// far inside of it that it may be left out for now.
struct Condition {
  double violation = 0;
  bool settled = false;
};
Condition condition_of(double weight, double slope, double margin) {
  const double up = slope + 1, down = slope - 1;  // with the penalty's slope on either side
  if (weight > 0) return {std::abs(up)};
  if (weight < 0) return {std::abs(down)};
  if (up < 0) return {-up};
  if (down > 0) return {down};
  return {0, up > margin && down < -margin};
}

class Fit {
 public:
  Fit(const std::vector<LogisticRow>& rows, const LogisticOptions& options)
      : rows_(rows), options_(options), order_(options.seed), projection_(rows.size()) {
    double positive = 0, negative = 0;
    for (const LogisticRow& row : rows) {
      positive += row.weight * row.label > 0;
      negative += row.weight * (1 - row.label) > 0;
    }
    count_ = positive + negative;
    tolerance_ = options.tolerance * std::max(std::min(positive, negative), 1.0) / count_;
    for (size_t j = 0; j < kLogisticFeatures; ++j) index_[j] = j;
  }

  LogisticWeights run() {
    double first = 0, inner_tolerance = 1, largest = kInfinite;
    for (int step = 0; step < options_.steps; ++step) {
      const Violations now = look_at_gradient(largest);
      if (step == 0) first = now.sum;
      if (now.sum <= tolerance_ * first) break;
      if (descend(inner_tolerance * first) == 1) inner_tolerance *= 0.25;
      if (!search_line()) break;  // rounding leaves nothing to gain
      largest = now.largest;
    }
    return w_;
  }

 private:
  struct Violations {
    double largest = 0, sum = 0;
    bool moved = false;  // any weight
  };

  // Row i's share of the objective's curvature along its own projection.
  double curvature(size_t i) const {
    const double p = probability(rows_[i].x, w_);
    return options_.inverse_penalty * rows_[i].weight * p * (1 - p);
  }

  // Gradient and curvature at w; leaves out of active_ what is settled.
  Violations look_at_gradient(double largest_before) {
    gradient_.fill(0);
    diagonal_.fill(kRidge);
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double slope =
          options_.inverse_penalty * rows_[i].weight * (probability(rows_[i].x, w_) - rows_[i].label);
      const double curved = curvature(i);
      for (size_t j = 0; j < kLogisticFeatures; ++j) {
        gradient_[j] += slope * rows_[i].x[j];
        diagonal_[j] += curved * rows_[i].x[j] * rows_[i].x[j];
      }
    }
    Violations all;
    active_ = kLogisticFeatures;
    for (size_t s = 0; s < active_;) {
      const size_t j = index_[s];
      const Condition condition = condition_of(w_[j], gradient_[j], largest_before / count_);
      if (condition.settled) {
        std::swap(index_[s], index_[--active_]);
        continue;
      }
      all.largest = std::max(all.largest, condition.violation);
      all.sum += condition.violation;
      ++s;
    }
    return all;
  }

  // Minimises the quadratic model around w over next_, a weight at a time; the number of passes.
  int descend(double goal) {
    next_ = w_;
    std::fill(projection_.begin(), projection_.end(), 0.0);
    std::vector<double> curved(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) curved[i] = curvature(i);
    double largest = kInfinite;
    size_t active = active_;
    int passes = 0;
    while (passes < kInnerPasses) {
      for (size_t j = 0; j < active; ++j) std::swap(index_[j + below(active - j)], index_[j]);
      const Violations all = pass(&active, curved, largest);
      ++passes;
      largest = all.largest;
      if (!all.moved) break;
      if (all.sum > goal) continue;
      if (active == active_) break;
      active = active_;  // what was left out is looked at once more
      largest = kInfinite;
    }
    return passes;
  }

  Violations pass(size_t* active, const std::vector<double>& curved, double largest_before) {
    Violations all;
    for (size_t s = 0; s < *active;) {
      const size_t j = index_[s];
      double slope = gradient_[j] + (next_[j] - w_[j]) * kRidge;
      for (size_t i = 0; i < rows_.size(); ++i) slope += rows_[i].x[j] * curved[i] * projection_[i];
      const Condition condition = condition_of(next_[j], slope, largest_before / count_);
      if (condition.settled) {
        std::swap(index_[s], index_[--*active]);
        continue;
      }
      all.largest = std::max(all.largest, condition.violation);
      all.sum += condition.violation;
      ++s;
      all.moved = move(j, slope) || all.moved;
    }
    return all;
  }

  // The weight to where the quadratic model with its penalty is least; false where it is there.
  bool move(size_t j, double slope) {
    const double up = slope + 1, down = slope - 1, h = diagonal_[j];
    double step = -next_[j];
    if (up < h * next_[j])
      step = -up / h;
    else if (down > h * next_[j])
      step = -down / h;
    if (std::abs(step) < 1e-12) return false;
    step = std::clamp(step, -kLongestStep, kLongestStep);
    next_[j] += step;
    for (size_t i = 0; i < rows_.size(); ++i) projection_[i] += rows_[i].x[j] * step;
    return true;
  }

  // Takes the way to next_, or a half of it, or a quarter ..., so that the objective decreases enough; false
  // where nothing does.
  bool search_line() {
    if (next_ == w_) return false;
    double promised = norm(next_) - norm(w_);
    for (size_t j = 0; j < kLogisticFeatures; ++j) promised += gradient_[j] * (next_[j] - w_[j]);
    double before = 0;
    for (const LogisticRow& row : rows_) before += cross_entropy(row, w_);
    for (int halving = 0; halving < kHalvings; ++halving) {
      double after = 0;
      for (const LogisticRow& row : rows_) after += cross_entropy(row, next_);
      const double change = norm(next_) - norm(w_) + options_.inverse_penalty * (after - before);
      if (change <= kDecrease * promised) {
        w_ = next_;
        return true;
      }
      promised *= 0.5;
      for (size_t j = 0; j < kLogisticFeatures; ++j) next_[j] = 0.5 * (w_[j] + next_[j]);
    }
    return false;
  }

  // A number below n without bias (Lemire 2019), as scikit-learn draws it.
  size_t below(size_t n) {
    const auto range = static_cast<uint32_t>(n);
    uint64_t product = 0;
    do {
      product = static_cast<uint64_t>(static_cast<uint32_t>(order_())) * range;
    } while (static_cast<uint32_t>(product) < (0u - range) % range);
    return product >> 32;
  }

  const std::vector<LogisticRow>& rows_;
  const LogisticOptions& options_;
  std::mt19937 order_;
  double count_ = 0, tolerance_ = 0;  // outcomes of a weight above 0, two of a row with a fractional label
  LogisticWeights w_{}, next_{}, gradient_{}, diagonal_{};
  std::array<size_t, kLogisticFeatures> index_{};
  size_t active_ = kLogisticFeatures;
  std::vector<double> projection_;  // x (next - w)
};

}  // namespace

double probability(const LogisticWeights& x, const LogisticWeights& w) {
  const double z = dot(x, w);
  return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}

double cross_entropy(const LogisticRow& row, const LogisticWeights& w) {
  const double z = dot(row.x, w);
  return row.weight * (row.label * log_one_plus_exp(-z) + (1 - row.label) * log_one_plus_exp(z));
}

LogisticWeights fit_logistic(const std::vector<LogisticRow>& rows, const LogisticOptions& options) {
  return Fit(rows, options).run();
}

}  // namespace sdft
