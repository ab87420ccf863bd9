// What a training will take, known before any weight is read: its steps, the tokens of each, and its memory
// (train/memory.h); and how it is divided where the recipe's `memory` sets a limit.
#pragma once

#include "run/stages.h"
#include "train/memory.h"

namespace sdft {

struct TrainingPlan {
  int64_t steps = 0;
  double mean_tokens = 0;   // of a step's sequences
  int64_t most_tokens = 0;  // of a step
  int64_t pass_tokens = 0;  // TrainOptions::pass_tokens
  bool gradient_checkpointing = false;
  PassShape largest = {};            // of its forward passes
  std::optional<MemoryNeed> memory;  // nothing where it is not foretold: on a GPU, with dtype: bf16
  std::vector<std::string> remarks;  // what it was not known from
};

// As the settings have it or, with `memory`, the largest passes that fit; with recomputation only where not
// even one sample at a time fits without. Error(kDevice) where that does not fit either. targets: the
// examples that are learned. Divided otherwise, a step's gradients are the same but for rounding only without
// lora_dropout and neftune_noise_alpha, whose draws go by a token's place in its pass; answers that the
// student writes itself are counted as max_new_tokens long.
TrainingPlan plan_training(const RunContext& run, const VariantJob& job, const std::vector<Example>& targets);
// A few lines for a terminal.
std::string describe(const TrainingPlan& plan, const std::string& variant);

// "8G", "1.5G", "700M" in bytes, by powers of 1024; "" is 0. The text is one that fault_of_memory() finds
// nothing wrong with.
int64_t memory_bytes(const std::string& text);
std::string fault_of_memory(const std::string& text);

}  // namespace sdft
