#include "model/gguf_metadata.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/format/architectures.h"
#include "model/rope.h"

namespace sdft {
namespace {

int64_t window_of(const ModelConfig& config) {
  int64_t window = 0;
  for (const LayerConfig& layer : config.layers) window = std::max(window, layer.window);
  return window;
}

// Which layer is the first that sees everything, counted from 1.
int64_t pattern_of(const ModelConfig& config) {
  const auto found = std::find_if(config.layers.begin(), config.layers.end(),
                                  [](const LayerConfig& layer) { return layer.window == 0; });
  return found - config.layers.begin() + 1;
}

void add_rope(const ModelConfig& c, const std::function<void(const char*, Json)>& put) {
  const RopeConfig& rope = c.rope;
  put("rope.freq_base", rope.theta);
  put("rope.dimension_count", c.rotary_dim());
  if (architecture_of(c).local_rope) put("rope.freq_base_swa", c.local_rope.theta);
  if (rope.type == "dynamic")
    fail_input("the model", "stretches positions with rope_type dynamic, which a GGUF file cannot say");
  if (rope.type == "linear" || rope.type == "yarn") {
    put("rope.scaling.type", rope.type);
    put("rope.scaling.factor", rope.factor);
  }
  if (rope.type == "longrope") put("rope.scaling.attn_factor", rope.attention_factor);
  if (rope.type == "longrope" || rope.type == "yarn")
    put("rope.scaling.original_context_length", rope.original_max_position);
}

GgufSource numbers(const std::string& name, const Tensor& values) {
  return {name, values.sizes().vec(), &gguf_type("F32"), [values] { return values; }};
}

Tensor as_tensor(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kDouble).to(at::kFloat);
}

}  // namespace

GgufMetadata gguf_metadata(const ModelConfig& c, const std::string& name, uint32_t file_type) {
  const Architecture& row = architecture_of(c);
  if (row.gguf.name.empty())
    fail_input("the model", c.architecture + " has no counterpart in llama.cpp that sdft knows");
  GgufMetadata metadata = {{"general.architecture", row.gguf.name},
                           {"general.type", "model"},
                           {"general.name", name},
                           {"general.file_type", file_type},
                           {"general.quantization_version", 2}};
  const auto put = [&](const char* key, Json value) {
    metadata.emplace_back(row.gguf.name + "." + key, std::move(value));
  };
  put("context_length", c.max_position_embeddings);
  put("embedding_length", c.hidden_size);
  put("feed_forward_length", c.intermediate_size);
  put("block_count", c.num_hidden_layers);
  put("vocab_size", c.vocab_size);
  put("attention.head_count", c.num_attention_heads);
  put("attention.head_count_kv", c.num_key_value_heads);
  put("attention.key_length", c.head_dim);
  put("attention.value_length", c.head_dim);
  put("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  if (const int64_t window = window_of(c)) put("attention.sliding_window", window);
  if (row.windows == Windows::kPattern && window_of(c))
    put("attention.sliding_window_pattern", pattern_of(c));
  if (c.attention_softcap > 0) put("attn_logit_softcapping", c.attention_softcap);
  if (c.final_softcap > 0) put("final_logit_softcapping", c.final_softcap);
  if (c.num_experts > 0) {
    put("expert_count", c.num_experts);
    put("expert_used_count", c.experts_per_token);
    put("expert_feed_forward_length", c.expert_size);
  }
  add_rope(c, put);
  return metadata;
}

std::vector<GgufSource> gguf_rope_tensors(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  if (rope.type == "longrope")
    return {numbers("rope_factors_long.weight", as_tensor(rope.long_factor)),
            numbers("rope_factors_short.weight", as_tensor(rope.short_factor))};
  if (rope.type != "llama3") return {};
  RopeConfig plain = rope;
  plain.type = "default";
  return {numbers("rope_freqs.weight", make_rope_tables(plain, config, at::kCPU).frequencies /
                                           make_rope_tables(rope, config, at::kCPU).frequencies)};
}

std::string first_difference(const ModelConfig& own, const ModelConfig& read) {
  const auto real = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(a); };
  const auto same_rope = [&](const RopeConfig& a, const RopeConfig& b) {
    if (a.type != b.type || !real(a.theta, b.theta)) return false;
    if (a.type == "llama3") return true;  // gguf_rope_scaling() has held its rule against the file's numbers
    return real(a.factor, b.factor) && real(a.attention_factor, b.attention_factor) &&
           real(a.beta_fast, b.beta_fast) && real(a.beta_slow, b.beta_slow) && a.truncate == b.truncate &&
           (a.type == "default" || a.original_max_position == b.original_max_position);
  };
  const auto same_layer = [](const LayerConfig& a, const LayerConfig& b) {
    return a.window == b.window && a.rope == b.rope && a.experts == b.experts;
  };
  const std::pair<const char*, bool> same[] = {
      {"the sliding windows, layers without positions or experts",
       std::equal(own.layers.begin(), own.layers.end(), read.layers.begin(), read.layers.end(), same_layer)},
      {"rope_scaling", same_rope(own.rope, read.rope)},
      {"rope_local_base_freq",
       !architecture_of(own).local_rope || same_rope(own.local_rope, read.local_rope)},
      {"partial_rotary_factor", own.rotary_dim() == read.rotary_dim()},
      {"rms_norm_eps", real(own.rms_norm_eps, read.rms_norm_eps)},
      {"query_pre_attn_scalar", real(own.attention_scale, read.attention_scale)},
      {"the embedding's scale", real(own.embedding_scale, read.embedding_scale)},
      {"attn_logit_softcapping", real(own.attention_softcap, read.attention_softcap)},
      {"final_logit_softcapping", real(own.final_softcap, read.final_softcap)},
      {"the activation", own.activation == read.activation},
      {"tie_word_embeddings", own.tie_word_embeddings == read.tie_word_embeddings},
      {"the biases",
       own.qkv_bias == read.qkv_bias && own.o_bias == read.o_bias && own.mlp_bias == read.mlp_bias},
      {"norm_topk_prob", own.normalize_experts == read.normalize_experts},
      {"num_experts_per_tok", own.experts_per_token == read.experts_per_token},
  };
  for (const auto& [name, alike] : same)
    if (!alike) return name;
  return "";
}

}  // namespace sdft
