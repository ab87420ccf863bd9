// A model's weights: how they come from a folder, from nothing, and into a folder.
#include <spdlog/spdlog.h>

#include <cmath>
#include <functional>
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
#include "model/gguf_folder.h"
#include "model/safetensors.h"
#include "model/weight_list.h"
#include "tensor/memory.h"

namespace sdft {
namespace fs = std::filesystem;

std::string plain_name(const std::string& stored) {
  for (const auto& [theirs, plain] : {std::pair<std::string, std::string>{"language_model.model.", "model."},
                                      {"model.language_model.", "model."},
                                      {"language_model.lm_head.", "lm_head."}})
    if (stored.rfind(theirs, 0) == 0) return plain + stored.substr(theirs.size());
  return stored;
}

namespace {
std::string text_of(at::IntArrayRef shape) {
  std::string text = "[";
  for (int64_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}

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

// A head of few bits is a matrix of its own: rows of the embedding are looked up as they are.
void tie_head(Model& model, const LoadOptions& options, TensorMemory* memory) {
  if (!model.config.tie_word_embeddings) return;
  const auto bits = few_bits(options);
  model.lm_head = bits ? ops::quantised(model.embed, *bits, "the embedding", memory) : model.embed;
}

using StoredTypes = std::function<at::ScalarType(const std::string& name)>;

// Of weights that are made here.
StoredTypes made_types(const LoadOptions& options) {
  return [type = options.as_stored ? at::kBFloat16 : at::kFloat](const std::string&) { return type; };
}

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

TensorMemory memory_for(const Model& model, const Weights& weights, const StoredTypes& stored,
                        const LoadOptions& options) {
  const Room room = room_for(model, weights, stored, options);
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

// A copy in any case: a file may go away or change under a long run.
Tensor kept(bool linear, const Tensor& values, const std::string& name, const Model& model,
            const LoadOptions& options, TensorMemory* memory) {
  if (linear && few_bits(options)) return ops::quantised(values, *few_bits(options), name, memory);
  const at::ScalarType type =
      kept_type(values.scalar_type(), static_cast<size_t>(values.dim()), model, options);
  Tensor copy = memory ? memory->take(values.sizes(), type)
                       : at::empty(values.sizes(), at::TensorOptions().dtype(type).device(model.device));
  return copy.copy_(values);
}

// normal(0, deviation); the same numbers whatever the threads.
void fill_random(Tensor& values, double deviation, const Random& random) {
  constexpr int64_t kGrain = 1 << 16;
  float* x = values.data_ptr<float>();
  at::parallel_for(0, values.numel(), kGrain, [&](int64_t begin, int64_t end) {
    Random own = random;
    own.skip_normals(begin);
    for (int64_t i = begin; i < end; ++i) x[i] = static_cast<float>(own.normal() * deviation);
  });
}

// What a model begins with; see init_model().
Tensor first_values(const Weight& weight, const ModelConfig& config, uint64_t seed) {
  const std::string& name = weight.name;
  const bool bias = name.size() > 5 && name.compare(name.size() - 5, 5, ".bias") == 0;
  if (weight.shape.size() != 2)
    return bias || config.norm_offset ? at::zeros(weight.shape, at::kFloat)
                                      : at::ones(weight.shape, at::kFloat);
  const bool ends_branch = name.find("o_proj") != std::string::npos ||
                           name.find("down_proj") != std::string::npos ||
                           name.find("." + config.expert_names.down + ".") != std::string::npos;
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  Tensor values = at::empty(weight.shape, at::kFloat);
  fill_random(values, 0.02 * (ends_branch ? residual : 1.0), Random(seed, "init " + name));
  return values;
}
}  // namespace

LoadedShape loaded_shape(const fs::path& dir, const LoadOptions& options) {
  if (fs::exists(dir / kGgufWeights)) return gguf_shape(dir, options);
  Model model = empty_model(read_config(dir), options);
  StoredWeights files(dir);
  settle_tied_weights(dir, model.config, files);
  return shape_of(std::move(model), types_of(files), options);
}

LoadedShape initial_shape(const ModelConfig& config, const LoadOptions& options) {
  return shape_of(empty_model(config, options), made_types(options), options);
}

Model load_model(const fs::path& dir, const LoadOptions& options) {
  current_work = Work::kLoading;
  constexpr size_t kMostProblems = 5;
  if (fs::exists(dir / kGgufWeights)) return load_gguf(dir, options);
  Model model = empty_model(read_config(dir), options);
  StoredWeights files(dir);
  settle_tied_weights(dir, model.config, files);
  std::optional<TensorMemory> memory;
  if (model.device.is_cpu()) memory = memory_for(model, weights_of(model), types_of(files), options);
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
    *weight.tensor = kept(weight.linear, stored, dir.string() + ": tensor '" + stored_name + "'", model,
                          options, memory ? &*memory : nullptr);
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
  std::optional<TensorMemory> memory;
  const StoredTypes types = made_types(options);
  if (model.device.is_cpu()) memory = memory_for(model, weights_of(model), types, options);
  for (const Weight& weight : weights_of(model)) {
    stop_if_interrupted();
    const Tensor values = first_values(weight, config, seed).to(types(weight.name));
    *weight.tensor = kept(weight.linear, values, weight.name, model, options, memory ? &*memory : nullptr);
  }
  tie_head(model, options, memory ? &*memory : nullptr);
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

}  // namespace sdft
