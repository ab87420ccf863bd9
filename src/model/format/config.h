// A model's config.json, in the old and the new spelling, as a plain struct. Architectures differ in data
// only: what a config and a row of architectures.cpp say is all that the transformer looks at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft {

// How positions become angles. Sources: Su et al. 2021 (default), Chen et al. 2023 (linear), bloc97 2023
// (dynamic NTK), Llama 3.1, Peng et al. 2023 (yarn), Ding et al. 2024 (longrope); as Transformers computes
// them.
struct RopeConfig {
  std::string type = "default";  // default | linear | dynamic | llama3 | yarn | longrope
  double theta = 10000.0;
  double factor = 1.0;
  double partial = 1.0;                                  // part of a head that is rotated
  int64_t original_max_position = 0;                     // llama3, yarn, longrope: trained context
  double attention_factor = 1.0;                         // yarn, longrope: cos and sin are multiplied with it
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  double beta_fast = 32, beta_slow = 1;                  // yarn
  bool truncate = true;                                  // yarn: whole numbers as the ramp's ends
  std::vector<double> short_factor, long_factor;         // longrope, [rotated / 2]
};

enum class Activation { kSilu, kGeluTanh };
// Where a branch (attention, mlp) is normalised.
enum class NormPlacement {
  kBefore,  // Llama: x + f(norm(x))
  kAfter,   // OLMo 2: x + norm(f(x))
  kBoth,    // Gemma 2: x + norm(f(norm(x)))
};
enum class HeadNorm {
  kNone,
  kHead,   // Qwen3, Gemma 3: each head of queries and keys, weights [D]
  kWhole,  // OLMo 2: all heads together, weights [H D]
};
// Names of an expert's weights ("mlp.experts.0.gate_proj") and of the mixture around them, whose router is
// "mlp.gate".
struct ExpertNames {
  std::string block = "mlp", gate = "gate_proj", up = "up_proj", down = "down_proj";
};

// What a layer does that its neighbours may not.
struct LayerConfig {
  int64_t window = 0;  // attention sees the last so many tokens; 0: all
  int rope = 0;        // 0: rope, 1: local_rope, -1: positions are not encoded
  bool experts = false;
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
  int64_t max_position_embeddings = 0;  // longest sequence that is accepted
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  RopeConfig rope;
  RopeConfig local_rope;            // Gemma 3: of layers with a window
  std::vector<LayerConfig> layers;  // num_hidden_layers
  Activation activation = Activation::kSilu;
  NormPlacement norm_placement = NormPlacement::kBefore;
  HeadNorm head_norm = HeadNorm::kNone;
  bool norm_offset = false;  // Gemma: norms multiply with 1 + weight
  bool fused_qkv = false, fused_gate_up = false;
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  double embedding_scale = 1.0;
  double attention_scale = 1.0;  // of scores, before the softmax
  double attention_softcap = 0;  // scores become cap tanh(score / cap); 0: no cap (Gemma 2)
  double final_softcap = 0;      // of logits
  ExpertNames expert_names;
  int64_t num_experts = 0, experts_per_token = 0,
          expert_size = 0;             // mixture of experts (Shazeer et al. 2017)
  bool normalize_experts = true;       // weights of the chosen experts sum to 1
  bool nested = false;                 // the text part of a model that sees images too (Gemma 3)
  std::vector<int32_t> eos_token_ids;  // of config.json and generation_config.json
  Json json;  // the file as it is, of a nested model its text part: for writing a model folder again

  int64_t rotary_dim() const;  // of head_dim, even
  // Of weights, embeddings counted once; at most what the type holds.
  int64_t parameters() const;
};

// Architectures that load_model() knows, by config.json's `architectures` entry.
std::vector<std::string> known_architectures();

// Throws Error(kInput): an unknown architecture (named, with the known ones), unsupported settings, a missing
// or impossible number; all problems of the file at once.
ModelConfig read_config(const std::filesystem::path& model_dir);
ModelConfig parse_config(const Json& json, const std::string& where);

}  // namespace sdft
