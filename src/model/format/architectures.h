// What each architecture is before its config.json says more: all that is known of one stands in its function
// in architectures.cpp. Everything else asks for these facts, never for the name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/format/config.h"

namespace sdft {

enum class AttentionBias {
  kNone,     // config.json may not ask for one
  kIfAsked,  // attention_bias: of q, k, v and o
  kQkv,      // of q, k and v, always
};

// Which layers' attention sees a window of `sliding_window` tokens; layer_types has the last word except in
// kAll and kAllIfAsked.
enum class Windows {
  kNone,
  kAll,              // every layer, where sliding_window is a number
  kAllIfAsked,       // every layer, where use_sliding_window is set
  kFromLayerOn,      // use_sliding_window: from max_window_layers on
  kWithoutPosition,  // use_sliding_window: layers whose positions are not encoded
  kAlternate,        // every other layer, the first one included
  kPattern,          // all but every sliding_window_pattern-th
};

// How llama.cpp's files name and store it.
struct GgufFacts {
  std::string name = {};  // general.architecture; empty: no such model there that is known here
  std::string marker =
      {};  // a metadata key that siblings of the same name lack: the last sibling whose key is there
  bool interleaved =
      false;  // rows of q and k: a head's rotated pairs are neighbours, (0, D/2, 1, D/2 + 1, ...)
  int64_t widest_layers =
      0;  // the number of layers whose query_pre_attn_scalar is C / H; of others it is the head's size
  std::vector<std::string> spaced_names =
      {};  // parts of general.name that tell: special tokens take white space along
};

// The model as a part of one that also sees images: the class and model_type of the whole, and what those
// take for granted of the text part, which published files leave out.
struct WholeModel {
  std::string name, model_type;
  Json text_defaults;
};

struct Architecture {
  std::string name;        // config.json's `architectures`
  std::string model_type;  // config.json's `model_type`
  std::optional<WholeModel> whole = {};
  GgufFacts gguf = {};

  int64_t head_dim = 0;            // where config.json does not say; 0: hidden_size / heads
  bool tied = false;               // tie_word_embeddings where config.json does not say
  bool scaled_embeddings = false;  // embeddings times sqrt(hidden_size)

  NormPlacement norm_placement = NormPlacement::kBefore;
  double rms_norm_eps = 1e-6;  // where config.json does not say
  bool norm_offset = false;    // norms multiply with 1 + weight

  AttentionBias attention_bias = AttentionBias::kNone;
  HeadNorm head_norm = HeadNorm::kNone;
  bool fused_qkv = false;                       // one qkv_proj
  bool scale_by_query_pre_attn_scalar = false;  // of scores; else by the head's size
  // Caps where config.json does not say, 0: none. nullopt: config.json may not ask for one.
  std::optional<double> attention_softcap = {}, final_softcap = {};
  Windows windows = Windows::kNone;
  int64_t window = 0;  // sliding_window where config.json does not say; 0: none

  double rope_theta = 10000.0;       // where config.json does not say
  bool partial_rotary = false;       // config.json may have only a part of each head rotated
  bool local_rope = false;           // layers with a window have rope settings of their own
  bool layers_without_rope = false;  // no_rope_layers, no_rope_layer_interval
  // original_max_position_embeddings where config.json does not say; it stands beside the rope settings, not
  // in them. 0: the usual, in them, else max_position_embeddings.
  int64_t trained_positions = 0;
  bool yarn_means_longrope = false;  // in early folders

  std::string activation_key = "hidden_act", activation = "silu";
  bool mlp_bias = false;       // config.json may ask for it
  bool fused_gate_up = false;  // one gate_up_proj

  bool experts = false;  // a mixture of them in place of the mlp
  ExpertNames expert_names = {};
  std::string expert_count_key = "num_experts";
  std::string expert_size_key = {};          // empty: experts are as wide as the mlp, intermediate_size
  bool some_layers_dense = false;            // mlp_only_layers, decoder_sparse_step
  bool experts_normalized_if_asked = false;  // norm_topk_prob; else always
};

// In the order in which messages list them.
const std::vector<Architecture>& architectures();
const Architecture& architecture_of(const ModelConfig& config);

}  // namespace sdft
