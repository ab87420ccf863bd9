#include "eval/paired.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "base/random.h"
#include "eval/distributions.h"

namespace sdft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kFewest = 6;  // examples: 2 / 2^5 is above 0.05

bool are_verdicts(const std::vector<double>& scores) {
  return std::all_of(scores.begin(), scores.end(), [](double score) { return score == 0 || score == 1; });
}

std::vector<double> differences_of(const std::vector<double>& before, const std::vector<double>& after) {
  if (before.size() != after.size()) throw std::logic_error("compare_pairs: the examples are not paired");
  std::vector<double> differences(before.size());
  for (size_t i = 0; i < before.size(); ++i) differences[i] = after[i] - before[i];
  return differences;
}

// --- Tango's score interval ---

// How many standard errors the observed difference is from `delta`, under the likeliest rates with that
// difference.
double tango_score(double forgotten, double gained, double n, double delta) {
  const double b = -gained - forgotten + (2 * n - gained + forgotten) * delta;
  const double c = -forgotten * delta * (1 - delta);
  const double lost = (std::sqrt(std::max(0.0, b * b - 8 * n * c)) - b) / (4 * n);  // P(1->0)
  const double variance = n * (2 * lost + delta * (1 - delta));
  const double away = gained - forgotten - n * delta;
  return variance > 0 ? away / std::sqrt(variance) : away == 0 ? 0 : std::copysign(INFINITY, away);
}

// --- Sign flips ---

constexpr size_t kExact = 18;  // differences of which all signs are tried
constexpr uint64_t kDraws = 100000, kEnough = 200;

// Sums of differences under given signs, a byte of signs at a time.
class SignedSums {
 public:
  explicit SignedSums(const std::vector<double>& differences) : bytes_((differences.size() + 7) / 8) {
    sums_.resize(bytes_ * 256);
    for (size_t byte = 0; byte < bytes_; ++byte)
      for (size_t signs = 0; signs < 256; ++signs)
        for (size_t bit = 0; bit < 8 && byte * 8 + bit < differences.size(); ++bit)
          sums_[byte * 256 + signs] += (signs >> bit & 1 ? -1 : 1) * differences[byte * 8 + bit];
  }
  // next(): the next eight bytes of signs.
  template <typename Next>
  double sum(Next next) const {
    double sum = 0;
    uint64_t signs = 0;
    for (size_t byte = 0; byte < bytes_; ++byte, signs >>= 8) {
      if (byte % 8 == 0) signs = next();
      sum += sums_[byte * 256 + (signs & 255)];
    }
    return sum;
  }

 private:
  size_t bytes_;
  std::vector<double> sums_;
};

// --- What could have been seen ---

// rejects[m]: of m changes, the most in the rarer direction that McNemar's test still calls uneven; -1: none.
std::vector<int64_t> rejections(int64_t most, double alpha) {
  std::vector<int64_t> rejects(static_cast<size_t>(most) + 1);
  int64_t rarer = -1;
  for (int64_t m = 0; m <= most; ++m) {
    while (rarer + 1 <= m / 2 && 2 * binomial_below(rarer + 1, m, 0.5) <= alpha) ++rarer;
    rejects[static_cast<size_t>(m)] = rarer;
  }
  return rejects;
}

// The chance that the test finds a difference of two rates.
double power_of(const std::vector<int64_t>& rejects, double difference, double changed) {
  const auto n = static_cast<int64_t>(rejects.size()) - 1;
  changed = std::min(1.0, std::max(changed, difference));
  const double one_way = (changed + difference) / (2 * changed);  // of the changes
  const double middle = static_cast<double>(n) * changed;
  const double reach = 9 * std::sqrt(middle * (1 - changed)) + 9;
  const auto first = static_cast<int64_t>(std::max(0.0, std::floor(middle - reach)));
  const auto last = static_cast<int64_t>(std::min<double>(static_cast<double>(n), std::ceil(middle + reach)));
  double power = 0;
  for (int64_t m = first; m <= last; ++m) {
    const int64_t rarer = rejects[static_cast<size_t>(m)];
    if (rarer < 0) continue;
    power += binomial_mass(m, n, changed) *
             (binomial_below(rarer, m, 1 - one_way) + binomial_below(rarer, m, one_way));
  }
  return power;
}

}  // namespace

PairedComparison compare_pairs(const std::vector<double>& before, const std::vector<double>& after) {
  const std::vector<double> differences = differences_of(before, after);
  const uint64_t n = differences.size();
  if (n == 0) return {0, {kNan, kNan, kNan}, kNan, kNan};
  if (are_verdicts(before) && are_verdicts(after)) {
    const auto gained = static_cast<uint64_t>(std::count(differences.begin(), differences.end(), 1.0));
    const auto forgotten = static_cast<uint64_t>(std::count(differences.begin(), differences.end(), -1.0));
    return {n, tango_interval(forgotten, gained, n), mcnemar_p(forgotten, gained),
            detectable_change(n, static_cast<double>(forgotten + gained) / static_cast<double>(n))};
  }
  std::vector<double> more = differences;  // as in the interval
  more.insert(more.end(), {-1, 1});
  return {n, bounded_mean(differences, -1, 1), sign_flip_p(differences),
          detectable_mean(n, standard_deviation(more))};
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
  t.p_value = mcnemar_p(t.forgotten, t.gained);
  return t;
}

double mcnemar_p(uint64_t forgotten, uint64_t gained) {
  const auto fewer = static_cast<int64_t>(std::min(forgotten, gained));
  const auto changes = static_cast<int64_t>(forgotten + gained);
  return changes == 0 ? 1 : std::min(1.0, 2 * binomial_below(fewer, changes, 0.5));
}

Estimate tango_interval(uint64_t forgotten, uint64_t gained, uint64_t examples, double confidence) {
  if (examples == 0) return {kNan, -1, 1};
  const auto n = static_cast<double>(examples), lost = static_cast<double>(forgotten),
             won = static_cast<double>(gained);
  const double z = normal_quantile(0.5 + confidence / 2), value = (won - lost) / n;
  // The score falls as delta rises; each bound is where it leaves [-z, z].
  const auto bound = [&](double inside, double outside) {
    for (int i = 0; i < 100; ++i) {
      const double middle = 0.5 * (inside + outside);
      (std::abs(tango_score(lost, won, n, middle)) <= z ? inside : outside) = middle;
    }
    return inside;
  };
  return {value, forgotten == examples ? -1 : bound(value, -1), gained == examples ? 1 : bound(value, 1)};
}

double sign_flip_p(const std::vector<double>& differences) {
  std::vector<double> changes;
  double seen = 0, size = 0;
  for (double difference : differences) {
    if (difference == 0) continue;
    changes.push_back(difference);
    seen += difference;
    size += std::abs(difference);
  }
  if (changes.empty()) return differences.empty() ? kNan : 1;
  const SignedSums sums(changes);
  const double far = std::abs(seen) - 1e-12 * size;  // sums of other order are the same sum
  uint64_t as_far = 0;
  if (changes.size() <= kExact) {
    const uint64_t all = uint64_t{1} << (changes.size() - 1);  // the other half are their mirror images
    for (uint64_t signs = 0; signs < all; ++signs) as_far += std::abs(sums.sum([&] { return signs; })) >= far;
    return static_cast<double>(as_far) / static_cast<double>(all);
  }
  Random random(0, "sign flips");
  for (uint64_t draw = 1; draw <= kDraws; ++draw) {
    as_far += std::abs(sums.sum([&] { return random.next(); })) >= far;
    if (as_far == kEnough) return static_cast<double>(as_far) / static_cast<double>(draw);
  }
  return static_cast<double>(as_far + 1) / static_cast<double>(kDraws + 1);
}

double sign_flip_p_over_tasks(const std::vector<std::vector<double>>& tasks) {
  std::vector<double> weighted;
  for (const std::vector<double>& differences : tasks)
    for (double difference : differences)
      weighted.push_back(difference / static_cast<double>(differences.size()));
  return sign_flip_p(weighted);
}

double detectable_change(uint64_t n, double changed, const Detection& detection) {
  if (n == 0) return kNan;
  const std::vector<int64_t> rejects = rejections(static_cast<int64_t>(n), detection.alpha);
  double low = 0, high = 1;
  if (!(power_of(rejects, high, changed) >= detection.power)) return kNan;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (power_of(rejects, middle, changed) >= detection.power ? high : low) = middle;
  }
  return high;
}

double detectable_mean(uint64_t n, double deviation, const Detection& detection) {
  if (n < kFewest) return kNan;
  const auto count = static_cast<double>(n);
  const double difference = (student_t_quantile(1 - detection.alpha / 2, count - 1) +
                             student_t_quantile(detection.power, count - 1)) *
                            deviation / std::sqrt(count);
  return difference <= 1 ? difference : kNan;
}

}  // namespace sdft
