// A training's metrics.jsonl in the forms that other programs show. They are made of that file alone, without
// a clock, a host's name or the one figure that differs between runs (tokens_per_second): the same training
// gives the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft::report {

// What metrics.jsonl does not say of a training.
struct TrainingFacts {
  int64_t max_steps = 0;  // planned
  double num_train_epochs = 0;
  int64_t train_batch_size = 0;
  int64_t eval_steps = 0;
  int64_t save_steps = 0;
};

// The lines of metrics.jsonl as Transformers' log_history has them: `validation_loss` is `eval_loss` in an
// entry of its own; what is no finite number is left out. Error(kInput) for a line that has no step.
std::vector<Json> log_history(const std::filesystem::path& metrics);

// TensorBoard's file of events: TFRecords (length, masked CRC-32C, data, masked CRC-32C; little endian) of
// Event messages of tensorflow/core/util/event.proto, with Transformers' tags (train/loss, eval/loss). The
// wall time of a step is its number, in seconds.
std::string event_file(const std::vector<Json>& log_history);

// What TrainerState.load_from_json reads. best_metric: the lowest eval_loss, null where none was measured.
Json trainer_state(const std::vector<Json>& log_history, const TrainingFacts& facts);

// DIR/metrics.jsonl to DIR/events.out.tfevents.0 and DIR/trainer_state.json.
void write_tracking(const std::filesystem::path& dir, const TrainingFacts& facts);

}  // namespace sdft::report
