// The state between two optimizer steps: parameters, moments, number of steps. One file, so that it is there
// or not.
#pragma once

#include <filesystem>

#include "train/optimizer.h"

namespace sdft {

void save_checkpoint(const std::filesystem::path& dir, const AdamW& optimizer);
// Restores dir/checkpoint.safetensors into the optimizer's parameters where there is one, and cuts
// metrics.jsonl back to its step; without one, metrics.jsonl is emptied. Error(kInput) where the checkpoint
// is of another model or adapter.
void load_checkpoint(const std::filesystem::path& dir, AdamW& optimizer);
void finish_training(const std::filesystem::path& dir);

}  // namespace sdft
