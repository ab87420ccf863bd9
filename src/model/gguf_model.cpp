// A model whose weights are a GGUF file.
#include "base/error.h"
#include "base/interrupt.h"
#include "model/gguf_folder.h"
#include "model/gguf_weights.h"
#include "model/weight_list.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// How each weight of a GGUF file is kept: in few bits, or as numbers.
struct Kept {
  std::optional<ops::QuantisedForm> form;
  at::ScalarType type = at::kFloat;
};

Kept kept_of(const Weight& weight, const GgufWeights& file, const Model& model, const LoadOptions& options) {
  const bool stays =
      options.as_stored && options.weights == "auto" && model.device.is_cpu() && model.dtype == at::kFloat;
  if (weight.linear && few_bits(options)) return {few_bits(options)};
  if (weight.linear && stays && file.form(weight.name)) return {file.form(weight.name)};
  if (weight.shape.size() < 2 || model.dtype != at::kFloat) return {{}, model.dtype};
  if ((stays || few_bits(options)) && file.form(weight.name)) return {{}, at::kHalf};  // as import has it
  if (model.precision == ops::MatmulPrecision::kBf16) return {{}, at::kBFloat16};
  const uint32_t type = file.type(weight.name).id;
  return {{},
          !stays              ? at::kFloat
          : type == kGgufF16  ? at::kHalf
          : type == kGgufBf16 ? at::kBFloat16
                              : at::kFloat};
}

// A matrix of the file in few bits: its own codes, unless others are asked for.
Tensor few_bits_of(const std::string& name, const GgufWeights& file, const LoadOptions& options,
                   TensorMemory* memory) {
  if (!few_bits(options)) return file.quantised(name, memory);
  return ops::quantised(file.get(name, at::kFloat), *few_bits(options), name, memory);
}

// A weight with its plan; of a tied head its own, which may be of few bits where the embedding is not.
struct Planned {
  Weight weight;
  Kept kept;
  bool tied;
};

// Settles the model's precision too: what is multiplied with codes is rounded, and so is the cache.
std::vector<Planned> plan(Model& model, const GgufWeights& stored, const LoadOptions& options) {
  Weights weights = weights_of(model);
  const bool tied = model.config.tie_word_embeddings;
  if (tied) weights.push_back({weights.front().name, &model.lm_head, weights.front().shape, true});
  for (const Weight& weight : weights)
    if (kept_of(weight, stored, model, options).form) model.precision = ops::MatmulPrecision::kBf16;
  std::vector<Planned> list;
  for (const Weight& weight : weights)
    list.push_back(
        {weight, kept_of(weight, stored, model, options), tied && weight.tensor == &model.lm_head});
  return list;
}

int64_t bytes_of(const std::vector<Planned>& list) {
  int64_t bytes = 0;
  for (const auto& [weight, kept, tied] : list)
    if (kept.form)
      bytes += ops::quantised_bytes(weight.shape, *kept.form);
    else if (!tied)
      bytes += c10::multiply_integers(weight.shape) * static_cast<int64_t>(at::elementSize(kept.type));
  return bytes;
}
}  // namespace

Model load_gguf(const fs::path& dir, const LoadOptions& options) {
  Model model = empty_model(read_config(dir), options);
  const GgufFile file(fs::canonical(dir / kGgufWeights));  // the name that users know
  const GgufWeights stored(file, model.config);
  const std::vector<Planned> list = plan(model, stored, options);
  const bool on_cpu = model.device.is_cpu();
  TensorMemory memory(on_cpu ? bytes_of(list) : 0,
                      ops::kQuantisedTensors * static_cast<int64_t>(list.size()));
  for (const auto& [weight, kept, tied] : list) {
    stop_if_interrupted();
    if (kept.form)
      *weight.tensor = few_bits_of(weight.name, stored, options, &memory);
    else if (tied)
      model.lm_head = model.embed;
    else if (on_cpu)
      *weight.tensor = memory.take(weight.shape, kept.type).copy_(stored.get(weight.name, kept.type));
    else
      *weight.tensor = stored.get(weight.name, kept.type).to(model.device);
  }
  return model;
}

LoadedShape gguf_shape(const fs::path& dir, const LoadOptions& options) {
  LoadedShape shape{empty_model(read_config(dir), options), 0};
  const GgufFile file(fs::canonical(dir / kGgufWeights));
  const GgufWeights stored(file, shape.model.config);
  const std::vector<Planned> list = plan(shape.model, stored, options);
  shape.bytes = bytes_of(list);
  for (const auto& [weight, kept, tied] : list)
    *weight.tensor = tied && !kept.form ? shape.model.embed
                                        : at::empty(weight.shape, at::TensorOptions().device(at::kMeta).dtype(
                                                                      kept.form ? at::kByte : kept.type));
  return shape;
}

}  // namespace sdft
