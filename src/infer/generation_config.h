// A model folder's generation_config.json: how its makers want it to write.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "infer/generator.h"

namespace sdft {

struct GenerationDefaults {
  bool do_sample = false;
  SamplingOptions sampling;  // greedy unless do_sample; the repetition penalty holds in both
  int64_t max_new_tokens = kMaxNewTokens;
  Constraints constraints;  // hold whatever the sampling
  // What the file asks for and nothing here does ("…/generation_config.json: num_beams is not supported
  // and has no effect (it is 4)"), and end tokens that can never come: to be shown to the user.
  std::vector<std::string> warnings;
};

// Where there is no file: the defaults above. End tokens are ModelConfig::eos_token_ids. Throws Error(kInput)
// naming the file and every value that makes no sense.
GenerationDefaults read_generation_config(const std::filesystem::path& model_dir, const ModelConfig& config);

}  // namespace sdft
