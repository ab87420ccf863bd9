// The state between two optimizer steps: parameters, moments, number of steps. One file, so that it is there
// or not. Beside it the parameters of the best step, in a file named after that step: a killed training that
// goes on from an older checkpoint still finds the best that the checkpoint knows, whatever came after it.
#pragma once

#include <filesystem>
#include <set>

#include "train/optimizer.h"

namespace sdft {

// more: what else is kept between steps.
void save_checkpoint(const std::filesystem::path& dir, const AdamW& optimizer, const NamedTensors& more);
// Restores dir/checkpoint.safetensors into the optimizer's parameters and `more` where there is one, and cuts
// metrics.jsonl back to its step; without one, metrics.jsonl is emptied. Error(kInput) where the checkpoint
// is of another model or adapter.
void load_checkpoint(const std::filesystem::path& dir, AdamW& optimizer, NamedTensors more);

// The parameters as they are, as dir/best-STEPS.safetensors.
void save_best(const std::filesystem::path& dir, const AdamW& optimizer);
// Puts those of `step` into the optimizer's parameters; its moments stay. Error(kInput) where they are not
// there.
void load_best(const std::filesystem::path& dir, int64_t step, AdamW& optimizer);
// Removes the best parameters of all other steps.
void keep_best(const std::filesystem::path& dir, const std::set<int64_t>& steps);

// Removes checkpoint and best parameters.
void finish_training(const std::filesystem::path& dir);

}  // namespace sdft
