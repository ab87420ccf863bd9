// The numbers of a model: GGUF metadata -> config.json.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/gguf_import.h"
#include "model/gguf_names.h"

namespace sdft {
namespace {

// Metadata below the architecture's name: "llama.context_length".
struct Keys {
  const GgufFile& file;
  std::string arch;

  std::string full(const std::string& key) const { return arch + "." + key; }
  bool has(const std::string& key) const { return file.metadata().count(full(key)) > 0; }
  int64_t count(const std::string& key, int64_t most = std::numeric_limits<int32_t>::max()) const {
    const auto found = file.metadata().find(full(key));
    if (found == file.metadata().end()) fail_input(file.where(), "metadata '" + full(key) + "' is missing");
    const Json& value = found->second;
    if (!value.is_number_integer() || value <= 0 || value > most)
      fail_input(file.where(), fmt::format("metadata '{}': expected a number from 1 to {}, found {}",
                                           full(key), most, describe(value)));
    return value.get<int64_t>();
  }
  double real(const std::string& key) const {
    const auto value = file.require<double>(full(key));
    if (!std::isfinite(value))
      fail_input(file.where(), fmt::format("metadata '{}': expected a number, found {}", full(key), value));
    return value;
  }
};

// What changes a model's results in ways that no config.json read here has words for.
void refuse_unusual(const Keys& keys) {
  for (const char* key :
       {"attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias", "attention.output_scale",
        "logit_scale", "residual_scale", "embedding_scale", "expert_shared_count", "expert_weights_scale",
        "rope.scaling.yarn_log_multiplier", "rope.dimension_sections"})
    if (keys.has(key) && keys.file.metadata().at(keys.full(key)) != 0)
      fail_input(keys.file.where(), "metadata '" + keys.full(key) + "' is not supported");
  if (keys.has("attention.causal") && !keys.file.require<bool>(keys.full("attention.causal")))
    fail_input(keys.file.where(), "is a model that also looks ahead, which is not supported");
  if (keys.has("attention.value_length") && keys.has("attention.key_length") &&
      keys.count("attention.value_length") != keys.count("attention.key_length"))
    fail_input(keys.file.where(), "has values of another size than keys, which is not supported");
}

std::string architecture_of(const Keys& keys) {
  if (keys.arch == "llama" && keys.has("expert_count")) return "MixtralForCausalLM";
  if (keys.arch == "llama" && keys.has("attention.sliding_window")) return "MistralForCausalLM";
  return gguf_family(keys.arch, keys.file.where()).architecture;
}

void add_sizes(const Keys& keys, Json& config) {
  const GgufFile& file = keys.file;
  config["hidden_size"] = keys.count("embedding_length");
  config["intermediate_size"] = keys.count("feed_forward_length");
  // Each layer has tensors: a count beyond theirs is not to be trusted with memory.
  config["num_hidden_layers"] = keys.count("block_count", static_cast<int64_t>(file.tensors().size()));
  const int64_t heads = keys.count("attention.head_count");
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] =
      keys.has("attention.head_count_kv") ? keys.count("attention.head_count_kv") : heads;
  config["head_dim"] = keys.has("attention.key_length") ? keys.count("attention.key_length")
                                                        : keys.count("embedding_length") / heads;
  config["max_position_embeddings"] = keys.count("context_length");
  config["rms_norm_eps"] = keys.real("attention.layer_norm_rms_epsilon");
  if (!file.has("token_embd.weight")) fail_input(file.where(), "tensor 'token_embd.weight' is missing");
  config["vocab_size"] = file.tensors().at("token_embd.weight").shape.front();
  config["tie_word_embeddings"] = !file.has("output.weight");
  config["attention_bias"] = file.has("blk.0.attn_q.bias") && keys.arch != "qwen2";
  if (file.has("blk.0.ffn_gate.bias")) config["mlp_bias"] = true;
}

void add_rope(const Keys& keys, Json& config) {
  const double theta = keys.has("rope.freq_base") ? keys.real("rope.freq_base") : 10000.0;
  config["rope_theta"] = theta;
  const Json scaling = gguf_rope_scaling(keys.file, keys.arch, theta);
  if (!scaling.is_null()) config["rope_scaling"] = scaling;
  if (keys.has("rope.scaling.original_context_length"))
    config["original_max_position_embeddings"] = keys.count("rope.scaling.original_context_length");
  const auto head = config["head_dim"].get<int64_t>(),
             rotated = keys.has("rope.dimension_count") ? keys.count("rope.dimension_count") : head;
  if (rotated == head) return;
  if (keys.arch != "phi3" || rotated > head)
    fail_input(keys.file.where(),
               fmt::format("rotates {} of a head's {} numbers, which is not supported for {}", rotated, head,
                           keys.arch));
  config["partial_rotary_factor"] = static_cast<double>(rotated) / static_cast<double>(head);
}

void add_windows(const Keys& keys, Json& config) {
  const bool slides = keys.has("attention.sliding_window") &&
                      keys.file.metadata().at(keys.full("attention.sliding_window")) != 0;
  if (slides && (keys.arch == "olmo2" || keys.arch.rfind("qwen", 0) == 0 || keys.arch == "smollm3"))
    fail_input(keys.file.where(),
               "metadata '" + keys.full("attention.sliding_window") + "' is not supported");
  if (slides) config["sliding_window"] = keys.count("attention.sliding_window");
  if (keys.arch != "gemma3") return;
  if (keys.has("attention.sliding_window_pattern"))
    config["sliding_window_pattern"] = keys.count("attention.sliding_window_pattern");
  else
    config["sliding_window_pattern"] = slides ? 6 : 1;  // llama.cpp's own number
}

// llama.cpp tells the largest of each kind by its number of layers; only that one scales attention otherwise.
void add_gemma(const Keys& keys, Json& config) {
  const auto layers = config["num_hidden_layers"].get<int64_t>();
  const bool largest = layers == (keys.arch == "gemma2" ? 46 : 62);
  config["query_pre_attn_scalar"] = largest
                                        ? keys.count("embedding_length") / keys.count("attention.head_count")
                                        : config["head_dim"].get<int64_t>();
  config["hidden_activation"] = "gelu_pytorch_tanh";
  if (keys.arch == "gemma3") {
    const double local = keys.has("rope.freq_base_swa") ? keys.real("rope.freq_base_swa") : 10000.0;
    config["rope_local_base_freq"] = local;
  }
  for (const auto& [theirs, ours] : {std::pair("attn_logit_softcapping", "attn_logit_softcapping"),
                                     {"final_logit_softcapping", "final_logit_softcapping"}})
    if (keys.has(theirs)) config[ours] = keys.real(theirs);
}

void add_experts(const Keys& keys, Json& config) {
  if (!keys.has("expert_count")) return;
  constexpr int64_t kMost = 4096;
  config[keys.arch == "llama" ? "num_local_experts" : "num_experts"] = keys.count("expert_count", kMost);
  config["num_experts_per_tok"] = keys.count("expert_used_count", kMost);
  if (keys.arch != "qwen3moe") return;
  config["moe_intermediate_size"] = keys.count("expert_feed_forward_length");
  config["norm_topk_prob"] = true;  // llama.cpp knows no other
}

void add_token_ids(const GgufFile& file, Json& config) {
  for (const auto& [theirs, ours] : {std::pair("bos", "bos"), {"eos", "eos"}, {"padding", "pad"}}) {
    const std::string key = std::string("tokenizer.ggml.") + theirs + "_token_id";
    if (file.metadata().count(key)) config[std::string(ours) + "_token_id"] = file.require<int64_t>(key);
  }
}

}  // namespace

Json gguf_config(const GgufFile& file) {
  const Keys keys{file, file.require<std::string>("general.architecture")};
  if (file.value_or<std::string>("general.type", "model") != "model")
    fail_input(file.where(),
               "holds no model, its general.type is '" + file.require<std::string>("general.type") + "'");
  if (file.value_or<int64_t>("split.count", 0) > 1)
    fail_input(file.where(), "is one of several parts of a model", "join them with llama-gguf-split --merge");
  gguf_family(keys.arch, file.where());
  refuse_unusual(keys);
  Json config = {{"architectures", {architecture_of(keys)}}};
  add_sizes(keys, config);
  add_rope(keys, config);
  add_windows(keys, config);
  if (keys.arch.rfind("gemma", 0) == 0)
    add_gemma(keys, config);
  else
    config["hidden_act"] = "silu";
  add_experts(keys, config);
  add_token_ids(file, config);
  config["model_type"] = parse_config(config, file.where() + ": as config.json").model_type;
  return config;
}

}  // namespace sdft
