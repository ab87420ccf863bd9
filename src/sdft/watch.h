// The watch over a training: what the student says to fixed prompts, how far its distributions are from the
// seed's, and whether it still says anything sensible.
#pragma once

#include <string>
#include <vector>

#include "infer/generator.h"
#include "train/monitor.h"

namespace sdft {

// Prompts of one kind, "task" or "retained", as the metrics' names have it.
struct WatchedPrompts {
  std::string name;
  std::vector<Request> requests;
};

struct WatchOptions {
  int64_t steps = 0;            // see Monitor
  double kl_budget = 0;         // nats a token, on the last kind of prompts; 0: none
  bool collapse_guard = false;  // against what the start said
  GenerateOptions generation;   // temperature 1: the means are of the student's own answers
};

// Of the answers to some prompts.
struct Watched {
  Spread spread;
  double length = 0;      // mean tokens
  double ended = 0;       // share that ended by itself
  double repetition = 0;  // share of pairs of tokens that were there before in the same answer
};
Watched watch(ModelView seed, ModelView student, const std::vector<Request>& requests,
              const GenerateOptions& generation);
// What has gone wrong between the start and now ("half of its answers do not end any more: ..."), or "".
std::string collapse_of(const Watched& start, const Watched& now);

// Metrics kl_NAME, entropy_NAME, length_NAME, ended_NAME, repetition_NAME for each kind of prompts. `start`:
// the model that training starts from; both views must outlive the monitor.
Monitor watch_training(ModelView seed, ModelView start, std::vector<WatchedPrompts> prompts,
                       const WatchOptions& options);

}  // namespace sdft
