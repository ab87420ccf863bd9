// How fast a model is on this machine, and what share that is of what the machine can do at most.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "tensor/peaks.h"

namespace sdft {

struct BenchOptions {
  std::string model;             // a folder, or a GGUF file
  std::string shape;             // in its place, for random weights: one of bench_shapes(), or a config.json
  std::string weights = "auto";  // LoadOptions::weights
  int64_t threads = 0;           // 0: all
  int64_t prompt = 256, new_tokens = 64;
  std::vector<int64_t> streams = {1, 16};  // answers written at once
  bool train = false;                      // steps of LoRA on q and v, too
  int64_t sequences = 4, length = 512;     // of a step, each of so many tokens
  bool gradient_checkpointing = false;     // TrainOptions'
  bool progress = true;                    // on stderr
};
// "135m", ...: configurations of known models, assets/shapes.
std::vector<std::string> bench_shapes();

// Something that was measured, and what it took at least.
struct Measurement {
  std::string what;  // "first_token", "prompt", "new" or "training"
  int64_t streams;   // of "training", sequences
  double tokens;
  double seconds;
  // Multiply-adds of the linear layers and the head, forwards and back to the input; attention's are not
  // counted. Bytes of weights that had to be read.
  double forward, backward, bytes;
  // Filled in once the machine's peaks are known: what was nearer, "compute" or "memory", and the time that
  // it allows over the time that was taken. A model that the caches hold can be beyond what memory allows.
  std::string limit = {};
  double share = 0;

  double rate() const { return tokens / seconds; }
};

struct BenchResult {
  std::string model;  // folder, shape or file
  bool random_weights;
  std::string architecture;
  int64_t parameters;
  std::string weights, computed_in;  // "f32", "bf16" or "int8": what the linear layers multiply
  std::string tier;                  // that computes here
  MachinePeaks machine;
  double load_seconds;
  int64_t weight_bytes, resident_bytes, peak_bytes;  // of the process: after loading, at most
  int64_t prompt, new_tokens;
  std::vector<Measurement> measurements;
};
// Error(kUsage) for what makes no sense, Error(kInput) for a bad folder or file, Error(kInterrupted).
BenchResult run_bench(const BenchOptions& options);

Json to_json(const BenchResult& result);  // docs/formats.md
std::string to_text(const BenchResult& result);

}  // namespace sdft
