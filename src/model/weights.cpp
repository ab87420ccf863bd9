// A model's weights: which there are, and how they come from a folder, from nothing, and into a folder.
#include <spdlog/spdlog.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/model_folder.h"
#include "base/random.h"
#include "base/work.h"
#include "model/convert.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/skeleton.h"
#include "tensor/memory.h"
#include "tensor/quantised.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
struct Weight {
  std::string name;
  Tensor* tensor;
  std::vector<int64_t> shape;
  bool linear = false;  // of a linear layer or the head: what few bits are for
};
using Weights = std::vector<Weight>;

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

// Every weight of the model with the shape that the configuration asks for; names the linear layers.
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

Model without_weights(const ModelConfig& config) {
  Model model;
  model.config = config;
  for (const LayerConfig& layer : config.layers) {
    model.layers.emplace_back();
    model.layers.back().config = layer;
  }
  return model;
}

std::optional<ops::WeightBits> few_bits(const LoadOptions& options) {
  if (options.weights == "int8") return ops::WeightBits::kInt8;
  if (options.weights == "q4") return ops::WeightBits::kQ4;
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

std::string text_of(at::IntArrayRef shape) {
  std::string text = "[";
  for (int64_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}
}  // namespace

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

std::string plain_name(const std::string& stored) {
  for (const auto& [theirs, plain] : {std::pair<std::string, std::string>{"language_model.model.", "model."},
                                      {"model.language_model.", "model."},
                                      {"language_model.lm_head.", "lm_head."}})
    if (stored.rfind(theirs, 0) == 0) return plain + stored.substr(theirs.size());
  return stored;
}

namespace {
// A folder's weights by the names that they have here.
struct StoredWeights {
  explicit StoredWeights(const fs::path& dir) : files(dir) {
    for (const std::string& name : files.names()) names[plain_name(name)] = name;
  }
  bool has(const std::string& name) const { return names.count(name) > 0; }
  const std::string& stored_name(const std::string& name) const { return has(name) ? names.at(name) : name; }
  Tensor get(const std::string& name) const { return files.get(stored_name(name)); }

  ModelFiles files;
  std::map<std::string, std::string> names;
};

// Whether config.json's tied weights are: as in Transformers, either of both will do for the other, but two
// that differ stay apart.
void settle_tied_weights(const fs::path& dir, ModelConfig& config, StoredWeights& stored) {
  const std::string embed = "model.embed_tokens.weight", head = "lm_head.weight";
  if (!config.tie_word_embeddings || !stored.has(head)) return;
  if (!stored.has(embed)) {
    stored.names[embed] = stored.names[head];
    return;
  }
  const Tensor a = stored.get(embed), b = stored.get(head);
  if (a.numel() != config.vocab_size * config.hidden_size) return;  // an error soon
  if (a.scalar_type() == b.scalar_type() && a.equal(b)) return;
  spdlog::warn("{}: tie_word_embeddings is set, but {} and {} differ: they are not tied", dir.string(), embed,
               head);
  config.tie_word_embeddings = false;
  config.json["tie_word_embeddings"] = false;
}

bool sees(const std::string& name) {
  return name.find("vision_tower.") != std::string::npos ||
         name.find("multi_modal_projector.") != std::string::npos;
}

// Tensors that config.json has no place for may mean that it belongs to another model. A tied head and what
// older versions of Transformers saved besides are no news.
void warn_of_unused(const fs::path& dir, const ModelConfig& config, const StoredWeights& stored,
                    const Weights& used) {
  std::set<std::string> names;
  size_t seeing = 0;
  for (const auto& [name, in_file] : stored.names) {
    if (config.nested && sees(name))
      ++seeing;
    else if (name != "lm_head.weight" && name.find("rotary_emb.inv_freq") == std::string::npos)
      names.insert(name);
  }
  for (const Weight& weight : used) names.erase(weight.name);
  if (seeing > 0)
    spdlog::warn("{}: only the text model is used, not the {} tensors of its vision tower", dir.string(),
                 seeing);
  if (!names.empty())
    spdlog::warn("{}: {} tensors of the weights have no place in this architecture and are not used: {}{}",
                 dir.string(), names.size(), *names.begin(), names.size() > 1 ? ", ..." : "");
}

// The type in which a weight of that type and of so many dimensions is kept.
at::ScalarType kept_type(at::ScalarType type, size_t dimensions, const Model& model,
                         const LoadOptions& options) {
  if (dimensions != 2 || model.dtype != at::kFloat) return model.dtype;
  if (model.precision == ops::MatmulPrecision::kBf16) return at::kBFloat16;
  const bool stays = options.as_stored && options.weights == "auto" && model.device.is_cpu() &&
                     (type == at::kHalf || type == at::kBFloat16);
  return stays ? type : model.dtype;
}

// A head of few bits is a matrix of its own: rows of the embedding are looked up as they are.
void tie_head(Model& model, const LoadOptions& options, TensorMemory* memory) {
  if (!model.config.tie_word_embeddings) return;
  const auto bits = few_bits(options);
  model.lm_head = bits ? ops::quantised(model.embed, *bits, "the embedding", memory) : model.embed;
}

using StoredTypes = std::function<at::ScalarType(const std::string& name)>;

StoredTypes types_of(const StoredWeights& files) {
  return [&files](const std::string& name) { return files.get(name).scalar_type(); };
}

// What all of them take as they are kept.
struct Room {
  int64_t bytes = 0, tensors = 0;
};

Room room_for(const Model& model, const Weights& weights, const StoredTypes& stored,
              const LoadOptions& options) {
  Room room;
  const auto add_quantised = [&](const Weight& weight) {
    room.bytes += ops::quantised_bytes(weight.shape, *few_bits(options));
    room.tensors += ops::kQuantisedTensors;
  };
  if (few_bits(options) && model.config.tie_word_embeddings) add_quantised(weights.front());
  for (const Weight& weight : weights) {
    if (weight.linear && few_bits(options)) {
      add_quantised(weight);
      continue;
    }
    ++room.tensors;
    const auto type = kept_type(stored(weight.name), weight.shape.size(), model, options);
    room.bytes += c10::multiply_integers(weight.shape) * static_cast<int64_t>(at::elementSize(type));
  }
  return room;
}

TensorMemory memory_for(const Model& model, const Weights& weights, const StoredWeights& files,
                        const LoadOptions& options) {
  const Room room = room_for(model, weights, types_of(files), options);
  return TensorMemory(room.bytes, room.tensors);
}

LoadedShape shape_of(Model model, const StoredTypes& stored, const LoadOptions& options) {
  LoadedShape shape{std::move(model), 0};
  const Weights weights = weights_of(shape.model);
  shape.bytes = room_for(shape.model, weights, stored, options).bytes;
  const auto few = at::TensorOptions().device(at::kMeta).dtype(at::kByte);
  for (const Weight& weight : weights) {
    const auto type = kept_type(stored(weight.name), weight.shape.size(), shape.model, options);
    *weight.tensor = at::empty(weight.shape, weight.linear && few_bits(options) ? few : few.dtype(type));
  }
  const Tensor& embed = shape.model.embed;
  if (shape.model.config.tie_word_embeddings)
    shape.model.lm_head = few_bits(options) ? at::empty(embed.sizes(), few) : embed;
  return shape;
}
}  // namespace

LoadedShape loaded_shape(const fs::path& dir, const LoadOptions& options) {
  Model model = empty_model(read_config(dir), options);
  StoredWeights files(dir);
  settle_tied_weights(dir, model.config, files);
  return shape_of(std::move(model), types_of(files), options);
}

LoadedShape initial_shape(const ModelConfig& config, const LoadOptions& options) {
  return shape_of(
      empty_model(config, options), [](const std::string&) { return at::kFloat; }, options);
}

Model load_model(const fs::path& dir, const LoadOptions& options) {
  current_work = Work::kLoading;
  constexpr size_t kMostProblems = 5;
  Model model = empty_model(read_config(dir), options);
  StoredWeights files(dir);
  settle_tied_weights(dir, model.config, files);
  std::optional<TensorMemory> memory;
  if (model.device.is_cpu()) memory = memory_for(model, weights_of(model), files, options);
  std::string problems;
  size_t wrong = 0;
  for (const Weight& weight : weights_of(model)) {
    stop_if_interrupted();
    Tensor stored = files.get(weight.name);
    if (stored.sizes() != at::IntArrayRef(weight.shape)) {
      if (++wrong <= kMostProblems)
        problems += (problems.empty() ? "" : "; ") + weight.name + " is " + text_of(stored.sizes()) +
                    ", config.json asks for " + text_of(weight.shape);
      continue;
    }
    if (!at::isFloatingType(stored.scalar_type()))
      fail_input(dir.string(),
                 "tensor '" + weight.name + "' holds whole numbers: quantised weights are not supported",
                 "use the f32, f16 or bf16 folder");
    const std::string stored_name = files.stored_name(weight.name);
    if (weight.linear && few_bits(options)) {
      *weight.tensor = ops::quantised(stored, *few_bits(options),
                                      dir.string() + ": tensor '" + stored_name + "'", &*memory);
      files.files.release(stored_name);
      continue;
    }
    // A copy in any case: the file may go away or change under a long run.
    const at::ScalarType type = kept_type(stored.scalar_type(), weight.shape.size(), model, options);
    *weight.tensor = memory ? memory->take(stored.sizes(), type)
                            : at::empty(stored.sizes(), at::TensorOptions().dtype(type).device(model.device));
    weight.tensor->copy_(stored);
    files.files.release(stored_name);
  }
  if (!problems.empty())
    fail_input(dir.string(),
               "weights and config.json do not belong together: " + problems +
                   (wrong > kMostProblems ? "; and " + std::to_string(wrong - kMostProblems) + " more" : ""));
  warn_of_unused(dir, model.config, files, weights_of(model));
  tie_head(model, options, memory ? &*memory : nullptr);
  return model;
}

Model init_model(const ModelConfig& config, uint64_t seed, const LoadOptions& options) {
  Model model = empty_model(config, options);
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  for (const Weight& weight : weights_of(model)) {
    stop_if_interrupted();
    const bool bias = weight.name.size() > 5 && weight.name.compare(weight.name.size() - 5, 5, ".bias") == 0;
    Tensor values = bias || (config.norm_offset && weight.shape.size() == 1)
                        ? at::zeros(weight.shape, at::kFloat)
                        : at::ones(weight.shape, at::kFloat);
    if (weight.shape.size() == 2) {
      const bool ends_branch = weight.name.find("o_proj") != std::string::npos ||
                               weight.name.find("down_proj") != std::string::npos ||
                               weight.name.find("." + config.expert_names.down + ".") != std::string::npos;
      const double deviation = 0.02 * (ends_branch ? residual : 1.0);
      Random random(seed, "init " + weight.name);
      for (float *x = values.data_ptr<float>(), *end = x + values.numel(); x != end; ++x)
        *x = static_cast<float>(random.normal() * deviation);
    }
    *weight.tensor =
        weight.linear && few_bits(options)
            ? ops::quantised(values, *few_bits(options), weight.name)
            : values.to(model.device, kept_type(at::kFloat, weight.shape.size(), model, options));
  }
  tie_head(model, options, nullptr);
  return model;
}

void save_model(const Model& model, const fs::path& dir, const fs::path& tokenizer_from,
                at::ScalarType dtype) {
  NamedTensors tensors;
  for (const Weight& weight : weights_of(const_cast<Model&>(model))) {
    stop_if_interrupted();
    tensors.emplace_back(
        weight.name, convert_finite(*weight.tensor, dtype, dir.string() + ": tensor '" + weight.name + "'"));
  }
  make_directories(dir);
  write_safetensors(dir / "model.safetensors", tensors, {{"format", "pt"}});
  Json config = model.config.json;
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = torch_name(dtype);
  write_json(dir / "config.json", config);
  if (!tokenizer_from.empty()) copy_beside_weights(tokenizer_from, dir);
}

namespace {
Model converted(Model model, bool copy) {
  model.precision = ops::MatmulPrecision::kFull;
  for (const Weight& weight : weights_of(model))
    *weight.tensor = ops::is_quantised(*weight.tensor)
                         ? ops::widened(*weight.tensor)
                         : weight.tensor->to(model.dtype, /*non_blocking=*/false, copy);
  if (model.config.tie_word_embeddings) model.lm_head = model.embed;
  return model;
}
}  // namespace

Model widened(const Model& model) { return converted(model, false); }
Model clone(const Model& model) { return converted(model, true); }

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
