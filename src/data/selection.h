// Which examples of what was read are trained on. Every draw is by an example's id, so that a larger number
// of examples holds the smaller one's, whatever else is in the file, and the order of the file stays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace sdft {

struct Selection {
  size_t max_samples = 0;  // 0: all
  uint64_t seed = 42;      // of the draw
  std::vector<double>
      dataset_weights;  // > 0, the share of each of `parts` in the examples; empty: all of each
};

// Several datasets as one: ids get the dataset's name in front ("alpaca/17"), the rest is put together in
// order. A single one stays as it is. Error(kUsage) where two have one name.
Dataset joined(std::vector<Dataset> datasets);

// Leaves out examples of weight 0 (a note says how many) and draws the rest. With dataset_weights as many as
// the smallest dataset allows without repetition: the next example is one of the dataset that is furthest
// behind its share. Error(kUsage) where there are not as
// many weights as datasets, Error(kInput) where nothing is left.
Dataset select(const Dataset& all, const Selection& selection);

// How many examples are replayed beside so many of the task.
size_t replay_count(size_t examples, double fraction);
// `count` of them, drawn by seed; more hold the fewer. Error(kInput) where there are not so many.
std::vector<Example> drawn_replay(const Dataset& replay, size_t count, uint64_t seed);
// The targets of training and behind them what is replayed, with "replay/" in front of its ids.
std::vector<Example> with_replay(std::vector<Example> targets, const std::vector<Example>& replayed);

}  // namespace sdft
