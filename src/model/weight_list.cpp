#include "model/weight_list.h"

#include "base/error.h"

namespace sdft {

namespace {

void add_linear(Weights& list, LinearLayer& linear, const std::string& name, int64_t out, int64_t in,
                bool bias) {
  linear.name = name;
  list.push_back({name + ".weight", &linear.weight, {out, in}, true});
  if (bias) list.push_back({name + ".bias", &linear.bias, {out}});
}

void add_attention(Weights& list, const ModelConfig& c, Layer& layer, const std::string& prefix) {
  const int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  if (c.fused_qkv) {
    add_linear(list, layer.qkv, prefix + "qkv_proj", q + 2 * kv, c.hidden_size, c.qkv_bias);
  } else {
    add_linear(list, layer.q, prefix + "q_proj", q, c.hidden_size, c.qkv_bias);
    add_linear(list, layer.k, prefix + "k_proj", kv, c.hidden_size, c.qkv_bias);
    add_linear(list, layer.v, prefix + "v_proj", kv, c.hidden_size, c.qkv_bias);
  }
  add_linear(list, layer.o, prefix + "o_proj", c.hidden_size, q, c.o_bias);
  if (c.head_norm == HeadNorm::kNone) return;
  const bool whole = c.head_norm == HeadNorm::kWhole;
  list.push_back({prefix + "q_norm.weight", &layer.q_norm, {whole ? q : c.head_dim}});
  list.push_back({prefix + "k_norm.weight", &layer.k_norm, {whole ? kv : c.head_dim}});
}

void add_mlp(Weights& list, const ModelConfig& c, Mlp& mlp, const std::string& prefix) {
  if (c.fused_gate_up) {
    add_linear(list, mlp.gate_up, prefix + "gate_up_proj", 2 * c.intermediate_size, c.hidden_size,
               c.mlp_bias);
  } else {
    add_linear(list, mlp.gate, prefix + "gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    add_linear(list, mlp.up, prefix + "up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
  }
  add_linear(list, mlp.down, prefix + "down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
}

void add_experts(Weights& list, const ModelConfig& c, Layer& layer, const std::string& prefix) {
  const ExpertNames& names = c.expert_names;
  const std::string block = prefix + names.block + ".";
  list.push_back({block + "gate.weight", &layer.router, {c.num_experts, c.hidden_size}});
  layer.experts.resize(static_cast<size_t>(c.num_experts));
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    const std::string expert = block + "experts." + std::to_string(e) + ".";
    Mlp& mlp = layer.experts[e];
    add_linear(list, mlp.gate, expert + names.gate, c.expert_size, c.hidden_size, false);
    add_linear(list, mlp.up, expert + names.up, c.expert_size, c.hidden_size, false);
    add_linear(list, mlp.down, expert + names.down, c.hidden_size, c.expert_size, false);
  }
}

// What normalises a layer, under the names that go with the placement: "post_attention_layernorm" stands
// before the mlp in Llama, behind attention in the others.
void add_norms(Weights& list, const ModelConfig& c, Layer& layer, const std::string& prefix) {
  auto add = [&](const char* name, Tensor& tensor) {
    list.push_back({prefix + name, &tensor, {c.hidden_size}});
  };
  if (c.norm_placement == NormPlacement::kBefore) {
    add("input_layernorm.weight", layer.attention_norm);
    add("post_attention_layernorm.weight", layer.mlp_norm);
    return;
  }
  if (c.norm_placement == NormPlacement::kBoth) {
    add("input_layernorm.weight", layer.attention_norm);
    add("pre_feedforward_layernorm.weight", layer.mlp_norm);
  }
  add("post_attention_layernorm.weight", layer.attention_out_norm);
  add("post_feedforward_layernorm.weight", layer.mlp_out_norm);
}

}  // namespace

Weights weights_of(Model& model) {
  const ModelConfig& c = model.config;
  Weights list = {{"model.embed_tokens.weight", &model.embed, {c.vocab_size, c.hidden_size}}};
  for (size_t i = 0; i < model.layers.size(); ++i) {
    Layer& layer = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    add_attention(list, c, layer, prefix + "self_attn.");
    if (layer.config.experts) {
      add_experts(list, c, layer, prefix);
    } else {
      add_mlp(list, c, layer.mlp, prefix + "mlp.");
    }
    add_norms(list, c, layer, prefix);
  }
  list.push_back({"model.norm.weight", &model.norm, {c.hidden_size}});
  if (!c.tie_word_embeddings)
    list.push_back({"lm_head.weight", &model.lm_head, {c.vocab_size, c.hidden_size}, true});
  return list;
}

namespace {
Model without_weights(const ModelConfig& config) {
  Model model;
  model.config = config;
  for (const LayerConfig& layer : config.layers) {
    model.layers.emplace_back();
    model.layers.back().config = layer;
  }
  return model;
}
}  // namespace

std::optional<ops::QuantisedForm> few_bits(const LoadOptions& options) {
  if (options.weights == "int8") return ops::kInt8;
  if (options.weights == "q4") return ops::kQ4;
  return {};
}

Model empty_model(const ModelConfig& config, const LoadOptions& options) {
  Model model = without_weights(config);
  model.device = resolve_device(options.device);
  if (options.dtype == "f32" || (options.dtype == "auto" && model.device.is_cpu())) {
    model.dtype = at::kFloat;
  } else if (options.dtype == "bf16" || options.dtype == "auto") {
    model.dtype = at::kBFloat16;
  } else {
    fail_usage("dtype '" + options.dtype + "' is not known", "auto, f32 or bf16");
  }
  if (options.weights == "bf16" || few_bits(options)) {
    if (model.dtype != at::kFloat)
      fail_usage("weights '" + options.weights + "' needs dtype f32",
                 "with dtype bf16 everything is computed in bf16");
    if (few_bits(options) && !model.device.is_cpu())
      fail_usage("weights '" + options.weights + "' needs a CPU", "device cpu, or weights bf16");
    model.precision = ops::MatmulPrecision::kBf16;
  } else if (options.weights != "auto" && options.weights != "f32") {
    fail_usage("weights '" + options.weights + "' is not known", "auto, f32, bf16, int8 or q4");
  }
  model.rope = make_rope_tables(config.rope, config, model.device);
  model.local_rope = make_rope_tables(config.local_rope, config, model.device);
  return model;
}

at::ScalarType kept_type(at::ScalarType type, size_t dimensions, const Model& model,
                         const LoadOptions& options) {
  if (dimensions != 2 || model.dtype != at::kFloat) return model.dtype;
  if (few_bits(options)) return type;  // an embedding, of which rows are looked up
  if (model.precision == ops::MatmulPrecision::kBf16) return at::kBFloat16;
  const bool stays = options.as_stored && options.weights == "auto" && model.device.is_cpu() &&
                     (type == at::kHalf || type == at::kBFloat16);
  return stays ? type : model.dtype;
}

Model skeleton(const ModelConfig& config) {
  Model model = without_weights(config);
  for (const Weight& weight : weights_of(model))
    *weight.tensor = at::empty(weight.shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  if (config.tie_word_embeddings) model.lm_head = model.embed;
  return model;
}

at::Device resolve_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "auto") return at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (name == "cuda" && at::hasCUDA()) return at::Device(at::kCUDA, 0);
  if (name == "cuda")
    throw Error(ExitCode::kDevice,
                "device 'cuda': this libtorch finds no CUDA device (use --device cpu, or build against a "
                "CUDA libtorch)");
  fail_usage("device '" + name + "' is not known", "auto, cpu or cuda");
}

std::vector<std::pair<std::string, Tensor*>> named_parameters(Model& model) {
  std::vector<std::pair<std::string, Tensor*>> list;
  for (const Weight& weight : weights_of(model)) list.emplace_back(weight.name, weight.tensor);
  return list;
}

void for_each_linear(Model& model, const std::function<void(LinearLayer&)>& use) {
  for (Layer& layer : model.layers)
    for (LinearLayer* linear : {&layer.qkv, &layer.q, &layer.k, &layer.v, &layer.o, &layer.mlp.gate_up,
                                &layer.mlp.gate, &layer.mlp.up, &layer.mlp.down})
      if (linear->weight.defined()) use(*linear);
}

}  // namespace sdft
