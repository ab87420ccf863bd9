#include "model/model.h"

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "model/safetensors.h"

namespace sdft {
namespace fs = std::filesystem;

// --- rotary tables
// ------------------------------------------------------------------------------------------------

namespace {
// Inverse frequencies [D/2], in f32 as Transformers computes them; Llama 3's rule stretches low frequencies
// only.
std::vector<float> inverse_frequencies(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  std::vector<float> frequencies;
  for (int64_t i = 0; i < config.head_dim; i += 2) {
    float exponent = static_cast<float>(i) / static_cast<float>(config.head_dim);
    float f = 1.0f / std::pow(static_cast<float>(rope.theta), exponent);
    if (rope.type == "linear") f /= static_cast<float>(rope.factor);
    if (rope.type == "llama3") {
      const double wavelength = 2 * M_PI / f, original = static_cast<double>(rope.original_max_position);
      const double low = original / rope.low_freq_factor, high = original / rope.high_freq_factor;
      if (wavelength > low) {
        f = static_cast<float>(f / rope.factor);
      } else if (wavelength >= high) {
        double smooth =
            (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
        f = static_cast<float>((1 - smooth) * f / rope.factor + smooth * f);
      }
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

void make_rope_tables(Model& model) {
  Tensor f = at::tensor(at::ArrayRef<float>(inverse_frequencies(model.config)));
  Tensor positions = at::arange(model.config.max_position_embeddings, at::kFloat);
  Tensor angles = at::outer(positions, f);  // [T, D/2]
  model.cos = angles.cos().to(model.device);
  model.sin = angles.sin().to(model.device);
}

// --- the list of weights
// ------------------------------------------------------------------------------------------

struct Slot {
  std::string name;
  Tensor* tensor;
  std::vector<int64_t> shape;
};

void name_linears(Model& model) {
  for (size_t i = 0; i < model.layers.size(); ++i) {
    Layer& layer = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    layer.q.name = prefix + "self_attn.q_proj";
    layer.k.name = prefix + "self_attn.k_proj";
    layer.v.name = prefix + "self_attn.v_proj";
    layer.o.name = prefix + "self_attn.o_proj";
    layer.gate.name = prefix + "mlp.gate_proj";
    layer.up.name = prefix + "mlp.up_proj";
    layer.down.name = prefix + "mlp.down_proj";
  }
}

// Every weight of the model with the shape that the configuration asks for.
std::vector<Slot> slots(Model& model) {
  const ModelConfig& c = model.config;
  const int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  std::vector<Slot> list = {{"model.embed_tokens.weight", &model.embed, {c.vocab_size, c.hidden_size}}};
  for (size_t i = 0; i < model.layers.size(); ++i) {
    Layer& layer = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    auto add = [&](LinearLayer& linear, int64_t out, int64_t in) {
      list.push_back({linear.name + ".weight", &linear.weight, {out, in}});
    };
    add(layer.q, q, c.hidden_size);
    add(layer.k, kv, c.hidden_size);
    add(layer.v, kv, c.hidden_size);
    add(layer.o, c.hidden_size, q);
    add(layer.gate, c.intermediate_size, c.hidden_size);
    add(layer.up, c.intermediate_size, c.hidden_size);
    add(layer.down, c.hidden_size, c.intermediate_size);
    list.push_back({prefix + "input_layernorm.weight", &layer.input_norm, {c.hidden_size}});
    list.push_back({prefix + "post_attention_layernorm.weight", &layer.post_attention_norm, {c.hidden_size}});
  }
  list.push_back({"model.norm.weight", &model.norm, {c.hidden_size}});
  if (!c.tie_word_embeddings)
    list.push_back({"lm_head.weight", &model.lm_head, {c.vocab_size, c.hidden_size}});
  return list;
}

Model empty_model(const ModelConfig& config, const LoadOptions& options) {
  Model model;
  model.config = config;
  model.device = resolve_device(options.device);
  if (options.dtype == "f32" || (options.dtype == "auto" && model.device.is_cpu())) {
    model.dtype = at::kFloat;
  } else if (options.dtype == "bf16" || options.dtype == "auto") {
    model.dtype = at::kBFloat16;
  } else {
    fail_usage("dtype '" + options.dtype + "' is not known", "auto, f32 or bf16");
  }
  model.layers.resize(static_cast<size_t>(config.num_hidden_layers));
  name_linears(model);
  make_rope_tables(model);
  return model;
}

std::string text_of(at::IntArrayRef shape) {
  std::string text = "[";
  for (int64_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}
}  // namespace

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

Model load_model(const fs::path& dir, const LoadOptions& options) {
  Model model = empty_model(read_config(dir), options);
  ModelFiles files(dir);
  std::string problems;
  for (const Slot& slot : slots(model)) {
    Tensor stored = files.get(slot.name);
    if (stored.sizes() != at::IntArrayRef(slot.shape)) {
      problems += (problems.empty() ? "" : "; ") + slot.name + " is " + text_of(stored.sizes()) +
                  ", config.json asks for " + text_of(slot.shape);
      continue;
    }
    if (!at::isFloatingType(stored.scalar_type()))
      fail_input(dir.string(), "tensor '" + slot.name + "' has no floating-point type");
    // A copy in any case: the file may go away or change under a long run.
    *slot.tensor = at::empty(stored.sizes(), at::TensorOptions().dtype(model.dtype).device(model.device));
    slot.tensor->copy_(stored);
  }
  if (!problems.empty())
    fail_input(dir.string(), "weights and config.json do not belong together: " + problems);
  if (model.config.tie_word_embeddings) model.lm_head = model.embed;
  return model;
}

Model init_model(const ModelConfig& config, uint64_t seed, const LoadOptions& options) {
  Model model = empty_model(config, options);
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  for (const Slot& slot : slots(model)) {
    Tensor values = at::ones(slot.shape, at::kFloat);
    if (slot.shape.size() == 2) {
      const bool ends_branch =
          slot.name.find("o_proj") != std::string::npos || slot.name.find("down_proj") != std::string::npos;
      const double deviation = 0.02 * (ends_branch ? residual : 1.0);
      Random random(seed, "init " + slot.name);
      for (float *x = values.data_ptr<float>(), *end = x + values.numel(); x != end; ++x)
        *x = static_cast<float>(random.normal() * deviation);
    }
    *slot.tensor = values.to(model.device, model.dtype);
  }
  if (config.tie_word_embeddings) model.lm_head = model.embed;
  return model;
}

void save_model(const Model& model, const fs::path& dir, const fs::path& tokenizer_from,
                at::ScalarType dtype) {
  make_directories(dir);
  NamedTensors tensors;
  for (const Slot& slot : slots(const_cast<Model&>(model)))
    tensors.emplace_back(slot.name, slot.tensor->detach().to(at::kCPU, dtype));
  write_safetensors(dir / "model.safetensors", tensors, {{"format", "pt"}});
  Json config = model.config.json;
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = dtype == at::kFloat  ? "float32"
                                                               : dtype == at::kHalf ? "float16"
                                                                                    : "bfloat16";
  write_file_atomic(dir / "config.json", config.dump(2) + "\n");
  if (tokenizer_from.empty()) return;
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "chat_template.jinja", "generation_config.json"})
    if (fs::exists(tokenizer_from / name) && !fs::equivalent(tokenizer_from, dir))
      write_file_atomic(dir / name, read_text(tokenizer_from / name));
}

std::vector<std::pair<std::string, Tensor*>> named_parameters(Model& model) {
  std::vector<std::pair<std::string, Tensor*>> list;
  for (const Slot& slot : slots(model)) list.emplace_back(slot.name, slot.tensor);
  return list;
}

void for_each_linear(Model& model, const std::function<void(LinearLayer&)>& use) {
  for (Layer& layer : model.layers)
    for (LinearLayer* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
      use(*linear);
}

// --- forward
// ------------------------------------------------------------------------------------------------------

KvCache make_cache(const Model& model, int64_t count, int64_t max_tokens) {
  KvCache cache;
  const ModelConfig& c = model.config;
  for (size_t i = 0; i < model.layers.size(); ++i)
    for (auto* part : {&cache.keys, &cache.values})
      // Zeros: what lies beyond a sequence's end is multiplied by zero where rows of unlike length run together.
      part->push_back(at::zeros({count, c.num_key_value_heads, max_tokens, c.head_dim},
                                at::TensorOptions().dtype(model.dtype).device(model.device)));
  return cache;
}

PackedTokens pack(const std::vector<std::vector<int32_t>>& sequences, at::Device device) {
  PackedTokens packed;
  std::vector<int64_t> ids;
  for (const auto& sequence : sequences) {
    packed.lengths.push_back(static_cast<int64_t>(sequence.size()));
    ids.insert(ids.end(), sequence.begin(), sequence.end());
  }
  packed.ids = at::tensor(at::ArrayRef<int64_t>(ids), at::kLong).to(device);
  return packed;
}

namespace {
// Where attention happens: inside packed sequences, or against a cache.
struct Context {
  Tensor cos, sin;  // [N, D/2] of the tokens' positions
  const std::vector<int64_t>* lengths = nullptr;
  const std::vector<ops::CacheSegment>* segments = nullptr;
  KvCache* cache = nullptr;
  // Where only the last token of each segment is wanted: the last layer's other tokens stop at their keys and
  // values.
  Tensor last_rows;
  std::vector<ops::CacheSegment> last_segments;
  Dropout dropout;
  uint64_t linear_index = 0;  // a dropout mask of its own for each
};

Tensor apply(const LinearLayer& layer, const Tensor& x, Context& context) {
  Tensor y = ops::linear(x, layer.weight, layer.bias);
  context.linear_index++;
  if (!layer.lora) return y;
  Tensor input = x;
  if (context.dropout.p > 0)
    input = ops::dropout(x, context.dropout.p,
                         context.dropout.key * 0x9e3779b97f4a7c15ull + context.linear_index);
  Tensor low = ops::linear(input.to(layer.lora->a.scalar_type()), layer.lora->a);  // [N, r]
  return y + (ops::linear(low, layer.lora->b) * layer.lora->scale).to(y.scalar_type());
}

// residual + layer(x), in the residual's own memory where nothing is recorded for a gradient.
Tensor add_layer(const Tensor& residual, const LinearLayer& layer, const Tensor& x, Context& context) {
  if (layer.lora || at::GradMode::is_enabled()) return residual + apply(layer, x, context);
  return ops::add_linear(residual, x, layer.weight, layer.bias);
}

// residual + attention(x); where `last` is wanted, of these rows only.
Tensor self_attention(const Model& model, size_t index, const Tensor& x, const Tensor& residual,
                      const Tensor& last, Context& context) {
  const Layer& layer = model.layers[index];
  const ModelConfig& c = model.config;
  auto heads = [&](const Tensor& y, int64_t count) { return y.view({y.size(0), count, c.head_dim}); };
  auto rows = [&](const Tensor& y) { return last.defined() ? y.index_select(0, last) : y; };
  Tensor q = heads(apply(layer.q, rows(x), context), c.num_attention_heads);
  Tensor k = heads(apply(layer.k, x, context), c.num_key_value_heads);
  Tensor v = heads(apply(layer.v, x, context), c.num_key_value_heads);
  q = ops::rope(q, rows(context.cos), rows(context.sin));
  k = ops::rope(k, context.cos, context.sin);
  ops::AttentionOptions options;
  options.scale = 1.0 / std::sqrt(static_cast<double>(c.head_dim));
  Tensor mixed;  // [N, H, D]
  if (context.cache) {
    Tensor &keys = context.cache->keys[index], &values = context.cache->values[index];
    ops::append_to_cache(k, v, *context.segments, keys, values);
    mixed = ops::attention_cached(q, keys, values, last.defined() ? context.last_segments : *context.segments,
                                  options);
  } else {
    mixed = ops::attention(q, k, v, *context.lengths, options);
  }
  mixed = mixed.reshape({q.size(0), c.num_attention_heads * c.head_dim});
  return add_layer(rows(residual), layer.o, mixed, context);
}

Tensor run_layers(const Model& model, const Tensor& ids, const std::vector<int64_t>& positions,
                  Context& context) {
  Tensor at = at::tensor(at::ArrayRef<int64_t>(positions), at::kLong).to(model.device);
  context.cos = model.cos.index_select(0, at);
  context.sin = model.sin.index_select(0, at);
  Tensor x = at::embedding(model.embed, ids);  // [N, C]
  const double eps = model.config.rms_norm_eps;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = model.layers[i];
    const Tensor last = i + 1 == model.layers.size() ? context.last_rows : Tensor();
    x = self_attention(model, i, ops::rms_norm(x, layer.input_norm, eps), x, last, context);
    Tensor h = ops::rms_norm(x, layer.post_attention_norm, eps);
    Tensor gate = apply(layer.gate, h, context);
    x = add_layer(x, layer.down, ops::swiglu(gate, apply(layer.up, h, context)), context);
  }
  return ops::rms_norm(x, model.norm, eps);
}

[[noreturn]] void fail_too_long(const Model& model, int64_t length) {
  fail_input("sequence of " + std::to_string(length) + " tokens",
             "is longer than the model's context of " + std::to_string(model.config.max_position_embeddings));
}
}  // namespace

Tensor forward(const Model& model, const PackedTokens& tokens, const Dropout& dropout) {
  std::vector<int64_t> positions;
  for (int64_t length : tokens.lengths) {
    if (length > model.config.max_position_embeddings) fail_too_long(model, length);
    for (int64_t t = 0; t < length; ++t) positions.push_back(t);
  }
  Context context;
  context.lengths = &tokens.lengths;
  context.dropout = dropout;
  return run_layers(model, tokens.ids, positions, context);
}

Tensor forward_cached(const Model& model, const Tensor& ids, const std::vector<ops::CacheSegment>& segments,
                      KvCache& cache, bool last_only) {
  at::NoGradGuard no_grad;
  std::vector<int64_t> positions, last;
  Context context;
  for (const ops::CacheSegment& s : segments) {
    if (s.kv_len > model.config.max_position_embeddings) fail_too_long(model, s.kv_len);
    for (int64_t t = s.kv_len - s.q_len; t < s.kv_len; ++t) positions.push_back(t);
    last.push_back(static_cast<int64_t>(positions.size()) - 1);
    context.last_segments.push_back({1, s.slot, s.kv_len});
  }
  context.segments = &segments;
  context.cache = &cache;
  if (last_only && last.size() < positions.size())
    context.last_rows = at::tensor(at::ArrayRef<int64_t>(last), at::kLong).to(model.device);
  return run_layers(model, ids, positions, context);
}

Tensor logits(const Model& model, const Tensor& hidden) { return ops::linear(hidden, model.lm_head); }

}  // namespace sdft
