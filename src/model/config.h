// A model's config.json, in the old and the new spelling, as a plain struct.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

struct RopeConfig {
  std::string type = "default";  // default | linear | llama3
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  int64_t original_max_position = 0;                     // llama3
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  std::string model_type;    // "llama"
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  RopeConfig rope;
  std::vector<int32_t> eos_token_ids;  // of config.json and generation_config.json
  Json json;                           // the file as it is, for writing a model folder again

  // Of weights, embeddings counted once.
  int64_t parameters() const;
};

// Architectures that load_model() knows, by config.json's `architectures` entry.
std::vector<std::string> known_architectures();

// Throws Error(kInput): an unknown architecture (named, with the known ones), unsupported settings, a missing
// or impossible number; all problems of the file at once.
ModelConfig read_config(const std::filesystem::path& model_dir);
ModelConfig parse_config(const Json& json, const std::string& where);

}  // namespace sdft
