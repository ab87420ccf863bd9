// Fine-tuning, LoRA or full, one optimizer step at a time. The loss of a step is summed over its supervised
// tokens and divided by their number, whatever the accumulation or packing.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/lora.h"
#include "train/batch.h"
#include "train/monitor.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/validation.h"

namespace sdft {

struct TrainOptions {
  std::string finetuning_type = "lora";  // lora | full
  LoraConfig lora;
  std::string objective = "sft";  // objective_names()
  ObjectiveOptions objective_options;
  double learning_rate = 1e-4;
  // LoRA+ (Hayou et al. 2024, arXiv 2402.12354): B, and DoRA's magnitudes, at learning_rate times this; 0:
  // off.
  double loraplus_lr_ratio = 0;
  double loraplus_lr_embedding = 1e-6;  // then of LoRA on the embedding
  double neftune_noise_alpha = 0;       // ForwardOptions::noise
  std::string lr_scheduler_type = "cosine";
  double warmup_ratio = 0.0;
  int64_t warmup_steps = 0;  // > 0 wins over the ratio
  double num_train_epochs = 3;
  int64_t max_steps = 0;  // > 0 wins over the epochs
  int64_t per_device_train_batch_size = 2;
  int64_t gradient_accumulation_steps = 4;
  int64_t cutoff_len = 1024;  // with the batch size, bounds the tokens of one forward pass
  int64_t pass_tokens =
      0;  // of one forward pass, in place of that bound; a longer sample is alone; 0: that bound
  bool gradient_checkpointing = false;  // ForwardOptions::recompute
  double max_grad_norm = 1.0;
  AdamWOptions adam;
  bool bf16 = false;  // matrix products in bf16 with f32 accumulation; weights and the rest stay f32
  uint64_t seed = 42;
  int64_t save_steps = 100;             // checkpoint for resuming; also after the last step
  double val_size = 0;                  // share of the examples that is held back, see split_validation()
  int64_t eval_steps = 0;               // between measurements of the held-back samples; 0: after each epoch
  int64_t early_stopping_patience = 0;  // measurements without a new best that end the training; 0: never
  bool load_best_model_at_end = false;  // else the last step's parameters stay

  int64_t samples_per_step() const { return per_device_train_batch_size * gradient_accumulation_steps; }
};

struct StepMetrics {
  int64_t step = 0;  // 1-based
  double epoch = 0;
  double loss = 0;  // mean over the step's supervised tokens, and the objective's penalty
  double learning_rate = 0;
  double grad_norm = 0;  // before clipping
  int64_t tokens = 0;    // supervised, this step
  double tokens_per_second =
      0;  // all tokens of the step's sequences; the only figure that differs between runs
  std::vector<std::pair<const char*, double>> of_source;  // BatchSource::metrics()
  std::optional<Measured> watched;                        // after this step, where the monitor measured
  std::optional<double> validation_loss;                  // after this step, where it was measured
};

int64_t total_steps(const TrainOptions& options, int64_t steps_per_epoch);
// Tokens of one forward pass: what the settings promise of memory, and no more than keeps the processor busy.
int64_t tokens_of_pass(const TrainOptions& options, bool on_cpu);

// One step's loss and gradients, which are added to the parameters' .grad.
double accumulate_gradients(const Objective& objective, ModelView student,
                            const std::vector<const Sample*>& samples, int64_t max_tokens,
                            const ForwardOptions& options);

// The state of a training. What it trains lives elsewhere and must outlive it: an adapter, or all weights of
// the model where there is none.
class Trainer {
 public:
  // total: optimizer steps that the schedule spreads over. Error(kUsage) for options that make no sense.
  Trainer(Model& model, Adapter* adapter, std::unique_ptr<Objective> objective, const TrainOptions& options,
          int64_t total);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Gradients of the samples, clipped; one AdamW step. Error(kInput) where the loss is not a number, with the
  // samples whose it is, or the gradient, which spoils the parameters.
  StepMetrics step(const std::vector<const Sample*>& samples);

  // The objective's value on samples as the student is now, without dropout, gradients and penalty: the mean
  // over their supervised tokens.
  double loss(const std::vector<const Sample*>& samples) const;

  const TrainOptions& options() const { return options_; }
  int64_t steps() const { return optimizer_.steps; }  // done
  int64_t total() const { return schedule_.total_steps; }
  ModelView student() const { return {model_, adapter_}; }
  // The state between two steps; see checkpoint.h.
  AdamW& state() { return optimizer_; }
  // What a checkpoint holds besides: the objective's state, and what an adapter began with.
  NamedTensors kept() const;
  // To be called after parameters were put in place from outside: what follows from them is computed anew.
  void restored();

  // Called with the parameters, each with its .grad, between backward pass and clipping: to sum over ranks,
  // say.
  std::function<void(NamedTensors& parameters)> on_gradients;

 private:
  Model& model_;
  Adapter* adapter_;
  std::unique_ptr<Objective> objective_;
  TrainOptions options_;
  Schedule schedule_;
  AdamW optimizer_;
};

// Takes all steps that are left, or fewer where the loss of `held_back` (may be empty: nothing is measured)
// says to stop; it is measured every eval_steps steps and after the last one. Leaves the parameters of the
// last step or, with load_best_model_at_end, those of the lowest validation loss. A `monitor` (may be empty)
// that finds a fault ends the training with the parameters of its newest measurement without one;
// Error(kInput) where there is none. In `dir`: metrics.jsonl, one line a step, checkpoint.safetensors and,
// for the best, best-STEP.safetensors, from which the same call goes on after a crash and ends with the same
// bytes. The caller writes the result and then calls finish_training(). Error(kInterrupted) after a
// checkpoint once *stop is set; a measurement that has begun is finished before.
TrainingHistory train(Trainer& trainer, BatchSource& source, const std::vector<Sample>& held_back,
                      const Monitor& monitor, const std::filesystem::path& dir,
                      const std::function<void(const StepMetrics&)>& on_step,
                      const std::atomic<bool>* stop = nullptr);

}  // namespace sdft
