// A model small enough to run hundreds of times in a test, with weights large enough to prefer some tokens.
#pragma once

#include "base/random.h"
#include "model/model.h"

namespace sdft::testing {

inline ModelConfig small_config(int64_t context = 96) {
  return parse_config(Json{{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"vocab_size", 61},
                           {"hidden_size", 24},
                           {"intermediate_size", 40},
                           {"num_hidden_layers", 3},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"head_dim", 6},
                           {"max_position_embeddings", context},
                           {"rms_norm_eps", 1e-5},
                           {"rope_theta", 10000.0},
                           {"tie_word_embeddings", false},
                           {"hidden_act", "silu"}},
                      "test");
}

inline Model small_model(int64_t context = 96, uint64_t seed = 1) {
  set_num_threads(0);
  LoadOptions options;
  options.device = "cpu";
  Model model = init_model(small_config(context), seed, options);
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_parameters(model))
    if (tensor->dim() == 2) tensor->mul_(8.0);
  return model;
}

// `count` prompts of 1 to `longest` tokens.
inline std::vector<std::vector<int32_t>> random_prompts(size_t count, int64_t longest, uint64_t seed,
                                                        int64_t vocabulary = 61) {
  Random random(seed, "prompts");
  std::vector<std::vector<int32_t>> prompts(count);
  for (auto& prompt : prompts) {
    prompt.resize(static_cast<size_t>(random.between(1, longest)));
    for (int32_t& id : prompt) id = static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary)));
  }
  return prompts;
}

}  // namespace sdft::testing
