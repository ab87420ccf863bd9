#include "model/gguf_export.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "model/format/architectures.h"
#include "model/gguf_import.h"
#include "model/gguf_metadata.h"
#include "model/gguf_names.h"
#include "tensor/quantised.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {

// "blk.3.attn_q.weight" -> "blk.*.attn_q.weight"
std::string of_all_layers(const std::string& name) {
  const size_t begin = 4, end = name.find('.', begin);
  return name.rfind("blk.", 0) == 0 ? name.substr(0, begin) + "*" + name.substr(end) : name;
}

// The tensors of a file, each in the type that the mixture gives it.
struct Sources {
  const GgufMixture& mixture;
  const ModelConfig& config;
  std::vector<GgufSource> tensors = {};
  std::vector<GgufNarrowed> narrowed = {};

  void add(const std::string& name, const std::vector<int64_t>& shape, const std::function<Tensor()>& make) {
    const GgufChoice choice = gguf_choice(mixture, config, name, shape);
    tensors.push_back({name, shape, choice.type, make});
    if (choice.type == choice.wanted) return;
    const GgufNarrowed now{of_all_layers(name), choice.wanted, choice.type, shape.back()};
    for (const GgufNarrowed& seen : narrowed)
      if (seen.tensors == now.tensors && seen.wanted == now.wanted) return;
    narrowed.push_back(now);
  }
};

// A weight as a file has it.
Tensor in_file(const std::string& name, const Tensor& weight, const ModelConfig& config) {
  Tensor x = ops::is_quantised(weight) ? ops::widened(weight) : weight;
  if (config.norm_offset && name.find("norm.weight") != std::string::npos) return x.to(at::kFloat) + 1;
  const int64_t heads = interleaved_heads(name, config);
  return heads > 0 ? interleave(x, heads) : x;
}

void add_weights(const Model& model, Sources* sources) {
  const ModelConfig& config = model.config;
  Model own = model;  // shares its tensors
  std::map<std::string, std::vector<Tensor>> stacks;
  for (const auto& [name, weight] : named_parameters(own)) {
    const GgufName to = gguf_name(name, config);
    std::vector<int64_t> shape = weight->sizes().vec();
    if (to.expert < 0) {
      sources->add(to.name, shape,
                   [name = name, weight = *weight, &config] { return in_file(name, weight, config); });
      continue;
    }
    std::vector<Tensor>& stack = stacks[to.name];
    stack.push_back(*weight);
    if (static_cast<int64_t>(stack.size()) < config.num_experts) continue;
    shape.insert(shape.begin(), config.num_experts);
    sources->add(to.name, shape, [name = name, stack, &config] {
      std::vector<Tensor> parts;
      for (const Tensor& part : stack) parts.push_back(in_file(name, part, config));
      return at::stack(parts);
    });
  }
}

}  // namespace

std::vector<GgufNarrowed> write_gguf_model(const Model& model, const GgufMixture& mixture,
                                           const std::string& name, const GgufMetadata& vocabulary,
                                           const fs::path& path) {
  GgufMetadata metadata = gguf_metadata(model.config, name, mixture.file_type);
  metadata.insert(metadata.end(), vocabulary.begin(), vocabulary.end());
  Sources sources{mixture, model.config};
  add_weights(model, &sources);
  for (const GgufSource& tensor : gguf_rope_tensors(model.config)) sources.tensors.push_back(tensor);
  write_gguf(path, metadata, sources.tensors);
  try {
    const GgufFile file(path);
    const std::string differs =
        first_difference(model.config, parse_config(gguf_config(file), file.where() + ": as config.json"));
    if (!differs.empty())
      fail_input("the model",
                 "is one that a GGUF file cannot say: " + differs + " would be others in llama.cpp");
  } catch (...) {
    fs::remove(path);
    throw;
  }
  return sources.narrowed;
}

std::vector<GgufNarrowed> write_gguf_adapter(const Adapter& adapter, const ModelConfig& config,
                                             const GgufMixture& mixture, const fs::path& path) {
  if (!adapter.replaced.empty())
    fail_input("the adapter", "replaces '" + adapter.replaced.begin()->first + "' as a whole",
               "a GGUF adapter cannot say that; merge it into the model instead");
  if (adapter.config.use_dora)
    fail_input("the adapter", "is of DoRA (use_dora), which a GGUF adapter cannot say",
               "merge it first: sdft merge");
  for (const std::string& layer : {kEmbedLayer, kHeadLayer})
    if (adapter.find(layer))
      fail_input("the adapter", "changes '" + layer + "', which llama.cpp's adapters do not",
                 "merge it first: sdft merge");
  const GgufFacts& gguf = architecture_of(config).gguf;
  if (gguf.name.empty())
    fail_input("the model", config.architecture + " has no counterpart in llama.cpp that sdft knows");
  // llama.cpp takes alpha / r of each layer for its scale, and 1 where alpha is 0.
  const double alpha = adapter.config.alpha != 0 ? adapter.config.alpha : 1;
  Sources sources{mixture, config};
  for (const auto& [layer, pair] : adapter.pairs) {
    const std::string name = gguf_name(layer + ".weight", config).name;
    const double scale = alpha / static_cast<double>(pair.a.size(0));
    const bool same = std::abs(pair.scale - scale) <= 1e-12 * std::abs(scale);
    Tensor b = same ? pair.b : (pair.b.to(at::kDouble) * (pair.scale / scale)).to(at::kFloat);
    if (const int64_t heads = interleaved_heads(layer + ".weight", config)) b = interleave(b, heads);
    sources.add(name + ".lora_a", pair.a.sizes().vec(), [a = pair.a] { return a; });
    sources.add(name + ".lora_b", b.sizes().vec(), [b] { return b; });
  }
  const GgufMetadata metadata = {{"general.architecture", gguf.name},
                                 {"general.type", "adapter"},
                                 {"adapter.type", "lora"},
                                 {"adapter.lora.alpha", alpha}};
  write_gguf(path, metadata, sources.tensors);
  return sources.narrowed;
}

}  // namespace sdft
