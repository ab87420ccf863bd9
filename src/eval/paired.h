// Two models on the same examples: how much they differ, how sure that is, and what could not have been
// seen. Everything is deterministic: where draws are needed their seed is fixed. Thread safe.
//
// `before` and `after` are scores from 0 to 1 of the same examples in the same order; unequal sizes are an
// internal error (std::logic_error).
#pragma once

#include <cstdint>
#include <vector>

#include "eval/statistics.h"

namespace sdft {

// The difference after - before with everything that a report says of it. Where all scores are 0 or 1:
// tango_interval(), mcnemar_p() and detectable_change(). Otherwise: bounded_mean() of the differences in
// [-1, 1], sign_flip_p() and detectable_mean().
struct PairedComparison {
  uint64_t n = 0;
  Estimate difference;  // NaN of no examples
  double p_value = 1;   // two-sided, of this comparison alone; NaN of no examples
  // The smallest difference that the test would find (alpha 0.05) with a chance of 80 %, at this n and with
  // as much change between the models as there is; NaN where n is too small for any.
  double detectable;
};
PairedComparison compare_pairs(const std::vector<double>& before, const std::vector<double>& after);

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
  double p_value = 1;  // mcnemar_p()
};
// A chance outside [0, 1) is an internal error (std::logic_error), too.
Transitions transitions(const std::vector<bool>& before, const std::vector<bool>& after, double chance = 0);

// McNemar's exact test (two-sided): the chance of so uneven a split of as many changes if both directions
// were alike; 1 where nothing changed.
double mcnemar_p(uint64_t forgotten, uint64_t gained);

// The difference of two rates over the same examples, (gained - forgotten) / examples, with the score
// interval of Tango (1998, Statistics in Medicine 17). Of n examples without any change it is still ±
// z² / (n + z²).
Estimate tango_interval(uint64_t forgotten, uint64_t gained, uint64_t examples, double confidence = 0.95);

// The paired permutation test (two-sided): the chance of a sum as far from 0 if each difference could as well
// have had the other sign. All 2^k signs for up to 18 differences that are not 0; otherwise drawn with a
// fixed seed until 200 draws were as far, at most 100,000 (Besag & Clifford 1991), so that no p is below
// 1e-5 (Phipson & Smyth 2010).
double sign_flip_p(const std::vector<double>& differences);

// The same for the mean over several tasks, each weighing the same: differences of task, then example. Tasks
// without examples are left out; NaN of none.
double sign_flip_p_over_tasks(const std::vector<std::vector<double>>& tasks);

struct Detection {
  double alpha = 0.05;  // two-sided
  double power = 0.8;
};
// The smallest difference of two rates that mcnemar_p() finds with a chance of `power` among n examples of
// which a share `changed` is answered differently by the two models, or as many as the difference itself
// needs: from the exact distribution of the changes. NaN where even a change of all would be missed (n < 6).
double detectable_change(uint64_t n, double changed, const Detection& detection = {});
// The same for a mean of n paired differences with this standard deviation, by Student's t: (t of 1 - alpha /
// 2 + t of power) s / √n. NaN for n < 6, where no sign-flip test can find anything, and where it exceeds 1.
double detectable_mean(uint64_t n, double deviation, const Detection& detection = {});

}  // namespace sdft
