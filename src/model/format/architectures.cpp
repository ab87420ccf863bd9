#include "model/format/architectures.h"

#include <algorithm>

#include "base/error.h"

namespace sdft {
namespace {

Architecture llama() {
  Architecture a{"LlamaForCausalLM", "llama"};
  a.gguf.name = "llama";
  a.gguf.interleaved = true;
  a.attention_bias = AttentionBias::kIfAsked;
  a.mlp_bias = true;
  return a;
}

Architecture mistral() {
  Architecture a{"MistralForCausalLM", "mistral"};
  a.gguf.name = "llama";
  a.gguf.marker = "attention.sliding_window";
  a.gguf.interleaved = true;
  a.windows = Windows::kAll;
  a.window = 4096;
  return a;
}

Architecture qwen2() {
  Architecture a{"Qwen2ForCausalLM", "qwen2"};
  a.gguf.name = "qwen2";
  a.attention_bias = AttentionBias::kQkv;
  a.windows = Windows::kFromLayerOn;
  a.window = 4096;
  return a;
}

Architecture qwen3() {
  Architecture a{"Qwen3ForCausalLM", "qwen3"};
  a.gguf.name = "qwen3";
  a.head_dim = 128;
  a.attention_bias = AttentionBias::kIfAsked;
  a.head_norm = HeadNorm::kHead;
  a.windows = Windows::kFromLayerOn;
  a.window = 4096;
  return a;
}

// What Gemma 2 and 3 share.
Architecture gemma(const char* name, const char* model_type) {
  Architecture a{name, model_type};
  a.head_dim = 256;
  a.tied = true;
  a.scaled_embeddings = true;
  a.norm_placement = NormPlacement::kBoth;
  a.norm_offset = true;
  a.attention_bias = AttentionBias::kIfAsked;
  a.scale_by_query_pre_attn_scalar = true;
  a.window = 4096;
  a.activation_key = "hidden_activation";
  a.activation = "gelu_pytorch_tanh";
  return a;
}

Architecture gemma2() {
  Architecture a = gemma("Gemma2ForCausalLM", "gemma2");
  a.gguf.name = "gemma2";
  a.gguf.widest_layers = 46;  // the 27B
  a.attention_softcap = 50.0;
  a.final_softcap = 30.0;
  a.windows = Windows::kAlternate;
  return a;
}

Architecture gemma3() {
  Architecture a = gemma("Gemma3ForCausalLM", "gemma3_text");
  a.whole = {"Gemma3ForConditionalGeneration",
             "gemma3",
             {{"num_attention_heads", 8},
              {"num_key_value_heads", 4},
              {"vocab_size", 262208},
              {"max_position_embeddings", 131072}}};
  a.gguf.name = "gemma3";
  a.gguf.widest_layers = 62;  // the 27B
  a.head_norm = HeadNorm::kHead;
  a.final_softcap = 0.0;  // Transformers' config has the attention's cap too, but its model does not use it
  a.windows = Windows::kPattern;
  a.rope_theta = 1000000.0;
  a.local_rope = true;
  return a;
}

Architecture phi3() {
  Architecture a{"Phi3ForCausalLM", "phi3"};
  a.gguf.name = "phi3";
  a.gguf.spaced_names = {"phi-3", "phi3"};
  a.rms_norm_eps = 1e-5;
  a.fused_qkv = true;
  a.windows = Windows::kAll;
  a.partial_rotary = true;
  a.trained_positions = 4096;
  a.yarn_means_longrope = true;
  a.fused_gate_up = true;
  return a;
}

Architecture olmo2() {
  Architecture a{"Olmo2ForCausalLM", "olmo2"};
  a.gguf.name = "olmo2";
  a.norm_placement = NormPlacement::kAfter;
  a.rms_norm_eps = 1e-5;
  a.attention_bias = AttentionBias::kIfAsked;
  a.head_norm = HeadNorm::kWhole;
  return a;
}

Architecture smollm3() {
  Architecture a{"SmolLM3ForCausalLM", "smollm3"};
  a.gguf.name = "smollm3";
  a.gguf.interleaved = true;
  a.tied = true;
  a.attention_bias = AttentionBias::kIfAsked;
  a.windows = Windows::kWithoutPosition;
  a.rope_theta = 2000000.0;
  a.layers_without_rope = true;
  a.mlp_bias = true;
  return a;
}

Architecture qwen3_moe() {
  Architecture a{"Qwen3MoeForCausalLM", "qwen3_moe"};
  a.gguf.name = "qwen3moe";
  a.attention_bias = AttentionBias::kIfAsked;
  a.head_norm = HeadNorm::kHead;
  a.windows = Windows::kAllIfAsked;
  a.window = 4096;
  a.experts = true;
  a.expert_size_key = "moe_intermediate_size";
  a.some_layers_dense = true;
  a.experts_normalized_if_asked = true;
  return a;
}

Architecture mixtral() {
  Architecture a{"MixtralForCausalLM", "mixtral"};
  a.gguf.name = "llama";
  a.gguf.marker = "expert_count";
  a.gguf.interleaved = true;
  a.rms_norm_eps = 1e-5;
  a.windows = Windows::kAll;
  a.rope_theta = 1000000.0;
  a.experts = true;
  a.expert_names = {"block_sparse_moe", "w1", "w3", "w2"};
  a.expert_count_key = "num_local_experts";
  return a;
}

}  // namespace

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> list = {llama(),   mistral(),   qwen2(),  qwen3(),
                                                 gemma2(),  gemma3(),    phi3(),   olmo2(),
                                                 smollm3(), qwen3_moe(), mixtral()};
  return list;
}

const Architecture& architecture_of(const ModelConfig& config) {
  const auto& list = architectures();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const Architecture& a) { return a.name == config.architecture; });
  if (found == list.end())
    throw Error(ExitCode::kInternal, "the architecture '" + config.architecture + "' is not known");
  return *found;
}

}  // namespace sdft
