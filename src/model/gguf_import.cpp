// The weights: GGUF tensors -> model.safetensors.
#include "model/gguf_import.h"

#include <set>

#include "model/convert.h"
#include "model/gguf_weights.h"
#include "model/safetensors.h"
#include "model/skeleton.h"

namespace sdft {

at::ScalarType gguf_output_type(const GgufFile& file, const std::string& dtype) {
  if (dtype != "auto") return float_type(dtype);
  std::set<uint32_t> types;
  for (const auto& item : file.tensors())
    if (item.second.shape.size() > 1) types.insert(item.second.type->id);
  if (types == std::set<uint32_t>{kGgufF32}) return at::kFloat;
  return types == std::set<uint32_t>{kGgufBf16} ? at::kBFloat16 : at::kHalf;
}

void write_gguf_weights(const GgufFile& file, const ModelConfig& config, const std::filesystem::path& dir,
                        at::ScalarType type) {
  const GgufWeights weights(file, config);
  Model shapes = skeleton(config);
  std::vector<TensorSource> sources;
  for (const auto& [name, weight] : named_parameters(shapes))
    sources.push_back(
        {name, type, weight->sizes().vec(), [&, own = name] { return weights.get(own, type); }});
  write_safetensors_one_by_one(dir / "model.safetensors", sources, {{"format", "pt"}});
}

}  // namespace sdft
