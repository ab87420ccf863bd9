// Samples held back from training: their split, and what their loss decides.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

struct Split {
  std::vector<const Example*> train, validation;  // in the examples' order, which must outlive them
};
// Holds back an example where its own draw, Random(seed, "validation " + id), is below val_size: the same
// ones whatever else the dataset has, and those of a smaller share are among those of a larger one.
// Error(kInput) where a val_size above 0 leaves nothing to train on or nothing to validate with.
Split split_validation(const std::vector<Example>& examples, double val_size, uint64_t seed);

// What a training has measured so far; all of it is in metrics.jsonl, so that nothing else has to be kept.
struct TrainingHistory {
  int64_t best_step = 0;  // 1-based, whose validation loss was the lowest, of equal ones the first; 0: none
  double best_loss = 0;
  int64_t since_best = 0;  // measurements after it
  // Of a monitor (monitor.h): the newest step that had no fault, 0: none; and the fault that ends the
  // training.
  int64_t sound_step = 0;
  std::string fault;

  // Whether it is a new best.
  bool add_measurement(int64_t step, double loss);
  void add_watched(int64_t step, const std::string& found);
};
// The lines of dir/metrics.jsonl; nothing where there is none.
TrainingHistory read_history(const std::filesystem::path& dir);

}  // namespace sdft
