// What generate and chat share: their flags, and one answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/engine/model_flags.h"
#include "infer/generator.h"

namespace sdft::cli {

// What was not given on the command line stays empty and comes from the model folder or the defaults.
struct SamplingFlags {
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int64_t> top_k, max_new_tokens;
  uint64_t seed = 42;
  int64_t batch_size = 0, prompt_lookup_num_tokens = EngineOptions().prompt_lookup_num_tokens;
};

struct GenerateFlags {
  ModelFlags model;
  PromptFlags prompt;
  SamplingFlags sampling;
  std::optional<std::string> text;
  std::string data, system;
  bool json = false, unordered = false;
};
void add_sampling_flags(CLI::App* command, SamplingFlags* flags);

// The model folder, once the flags have been found possible.
std::unique_ptr<ModelBundle> open_model(const GenerateFlags& flags);
// The weights, and how the model answers. Anything but greedy is told on stderr.
GenerateOptions load(const GenerateFlags& flags, ModelBundle& bundle);

// The prompt as the flags say.
std::vector<int32_t> ids_of(const ModelBundle& bundle, const PromptFlags& flags, const Example& example);
// Error(kInput) with the hint where so many tokens fill the context.
void require_room(const ModelConfig& config, size_t tokens, const std::string& hint);
// Writes the answer to stdout while it comes.
Completion stream_one(const ModelBundle& bundle, ModelView model, const Request& request,
                      const GenerateOptions& options);

}  // namespace sdft::cli
