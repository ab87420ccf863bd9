// Supervised fine-tuning: LoRA or full. The loss of an optimizer step is summed over its supervised tokens
// and divided by their number, whatever the accumulation or packing.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/prompt.h"
#include "model/lora.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace sdft {

struct TrainOptions {
  std::string finetuning_type = "lora";  // lora | full
  LoraConfig lora;
  double learning_rate = 1e-4;
  std::string lr_scheduler_type = "cosine";
  double warmup_ratio = 0.0;
  int64_t warmup_steps = 0;  // > 0 wins over the ratio
  double num_train_epochs = 3;
  int64_t max_steps = 0;  // > 0 wins over the epochs
  int64_t per_device_train_batch_size = 2;
  int64_t gradient_accumulation_steps = 4;
  int64_t cutoff_len = 1024;  // with the batch size, bounds the tokens of one forward pass
  double max_grad_norm = 1.0;
  AdamWOptions adam;
  bool bf16 = false;  // matrix products in bf16 with f32 accumulation; weights and the rest stay f32
  uint64_t seed = 42;
  int64_t save_steps = 100;  // checkpoint for resuming; also after the last step
};

struct StepMetrics {
  int64_t step = 0;  // 1-based
  double epoch = 0;
  double loss = 0;  // mean over the step's supervised tokens
  double learning_rate = 0;
  double grad_norm = 0;  // before clipping
  int64_t tokens = 0;    // supervised, this step
  double tokens_per_second =
      0;  // all tokens of the step's sequences; the only figure that differs between runs
};

int64_t total_steps(const TrainOptions& options, size_t samples);

// One step's loss and gradients: sum over micro-batches of -log p / tokens. Gradients are added to the
// parameters' .grad.
double accumulate_gradients(const Model& model, const std::vector<const Sample*>& samples, int64_t max_tokens,
                            double dropout, uint64_t dropout_key);

// Trains `adapter` (lora) or the model itself (full, adapter == nullptr). In `dir`: metrics.jsonl, one line a
// step, and checkpoint.safetensors, from which the same call goes on after a crash and ends with the same
// bytes. The caller writes the result and then calls finish_training(). Throws Error(kInput) where no sample
// has a supervised token, Error(kInterrupted) after a checkpoint once *stop is set.
void train(Model& model, Adapter* adapter, const std::vector<Sample>& samples, const TrainOptions& options,
           const std::filesystem::path& dir,
           const std::function<void(const StepMetrics&, int64_t total)>& on_step,
           const std::atomic<bool>* stop = nullptr);

}  // namespace sdft
