// The numbers of a model: GGUF metadata -> config.json.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/format/architectures.h"
#include "model/gguf_import.h"

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

// Of the name that the file gives; of siblings the last one whose marker is there.
const Architecture& find_architecture(const Keys& keys) {
  const Architecture* found = nullptr;
  std::vector<std::string> known;
  for (const Architecture& row : architectures()) {
    const GgufFacts& gguf = row.gguf;
    if (keys.arch == gguf.name && (gguf.marker.empty() || keys.has(gguf.marker))) found = &row;
    if (!gguf.name.empty() && gguf.marker.empty()) known.push_back(gguf.name);
  }
  if (found) return *found;
  fail_input(keys.file.where(), "the architecture '" + keys.arch + "' is not known",
             fmt::format("known: {}", fmt::join(known, ", ")));
}

void add_sizes(const Keys& keys, const Architecture& row, Json& config) {
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
  config["attention_bias"] = file.has("blk.0.attn_q.bias") && row.attention_bias != AttentionBias::kQkv;
  if (file.has("blk.0.ffn_gate.bias")) config["mlp_bias"] = true;
}

void add_rope(const Keys& keys, const Architecture& row, Json& config) {
  const double theta = keys.has("rope.freq_base") ? keys.real("rope.freq_base") : 10000.0;
  config["rope_theta"] = theta;
  const Json scaling = gguf_rope_scaling(keys.file, keys.arch, theta);
  if (!scaling.is_null()) config["rope_scaling"] = scaling;
  if (keys.has("rope.scaling.original_context_length"))
    config["original_max_position_embeddings"] = keys.count("rope.scaling.original_context_length");
  const auto head = config["head_dim"].get<int64_t>(),
             rotated = keys.has("rope.dimension_count") ? keys.count("rope.dimension_count") : head;
  if (rotated == head) return;
  if (!row.partial_rotary || rotated > head)
    fail_input(keys.file.where(),
               fmt::format("rotates {} of a head's {} numbers, which is not supported for {}", rotated, head,
                           keys.arch));
  config["partial_rotary_factor"] = static_cast<double>(rotated) / static_cast<double>(head);
}

// Where config.json asks for windows, the file cannot tell which layers are meant.
void add_windows(const Keys& keys, const Architecture& row, Json& config) {
  const bool slides = keys.has("attention.sliding_window") &&
                      keys.file.metadata().at(keys.full("attention.sliding_window")) != 0;
  const bool known =
      row.windows == Windows::kAll || row.windows == Windows::kAlternate || row.windows == Windows::kPattern;
  if (slides && !known)
    fail_input(keys.file.where(),
               "metadata '" + keys.full("attention.sliding_window") + "' is not supported");
  if (slides) config["sliding_window"] = keys.count("attention.sliding_window");
  if (row.windows != Windows::kPattern) return;
  if (keys.has("attention.sliding_window_pattern"))
    config["sliding_window_pattern"] = keys.count("attention.sliding_window_pattern");
  else
    config["sliding_window_pattern"] = slides ? 6 : 1;  // llama.cpp's own number
}

// What config.json says of attention, the mlp and the head in words of the architecture's own.
void add_peculiarities(const Keys& keys, const Architecture& row, Json& config) {
  // llama.cpp tells the widest model of a kind by its number of layers.
  if (row.scale_by_query_pre_attn_scalar)
    config["query_pre_attn_scalar"] =
        config["num_hidden_layers"] == row.gguf.widest_layers
            ? keys.count("embedding_length") / keys.count("attention.head_count")
            : config["head_dim"].get<int64_t>();
  config[row.activation_key] = row.activation;
  if (row.local_rope)
    config["rope_local_base_freq"] =
        keys.has("rope.freq_base_swa") ? keys.real("rope.freq_base_swa") : 10000.0;
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (keys.has(key)) config[key] = keys.real(key);
}

void add_experts(const Keys& keys, const Architecture& row, Json& config) {
  if (!row.experts) return;
  constexpr int64_t kMost = 4096;
  config[row.expert_count_key] = keys.count("expert_count", kMost);
  config["num_experts_per_tok"] = keys.count("expert_used_count", kMost);
  if (!row.expert_size_key.empty()) config[row.expert_size_key] = keys.count("expert_feed_forward_length");
  if (row.experts_normalized_if_asked) config["norm_topk_prob"] = true;  // llama.cpp knows no other
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
  const Architecture& row = find_architecture(keys);
  refuse_unusual(keys);
  Json config = {{"architectures", {row.name}}};
  add_sizes(keys, row, config);
  add_rope(keys, row, config);
  add_windows(keys, row, config);
  add_peculiarities(keys, row, config);
  add_experts(keys, row, config);
  add_token_ids(file, config);
  config["model_type"] = row.model_type;
  return config;
}

}  // namespace sdft
