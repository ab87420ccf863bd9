#include "model/gguf_export.h"

#include <cmath>

#include "base/error.h"
#include "model/format/architectures.h"
#include "model/gguf.h"
#include "model/gguf_names.h"

namespace sdft {

void write_gguf_adapter(const Adapter& adapter, const ModelConfig& config,
                        const std::filesystem::path& path) {
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
  NamedTensors tensors;
  for (const auto& [layer, pair] : adapter.pairs) {
    const std::string name = gguf_name(layer + ".weight", config).name;
    const double scale = alpha / static_cast<double>(pair.a.size(0));
    const bool same = std::abs(pair.scale - scale) <= 1e-12 * std::abs(scale);
    Tensor b = same ? pair.b : (pair.b.to(at::kDouble) * (pair.scale / scale)).to(at::kFloat);
    if (const int64_t heads = interleaved_heads(layer + ".weight", config)) b = interleave(b, heads);
    tensors.emplace_back(name + ".lora_a", pair.a);
    tensors.emplace_back(name + ".lora_b", b);
  }
  const GgufMetadata metadata = {{"general.architecture", gguf.name},
                                 {"general.type", "adapter"},
                                 {"adapter.type", "lora"},
                                 {"adapter.lora.alpha", alpha}};
  write_gguf(path, metadata, tensors);
}

}  // namespace sdft
