// The weights: GGUF tensors -> model.safetensors.
#include "model/gguf_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "base/error.h"
#include "model/convert.h"
#include "model/gguf_names.h"
#include "model/skeleton.h"

namespace sdft {
namespace {

// What configurations say in their own way.
const std::set<std::string> kRead = {"rope_freqs.weight", "rope_factors_long.weight",
                                     "rope_factors_short.weight"};

std::vector<int64_t> shape_in_file(const GgufTensor& tensor, const GgufName& name) {
  if (name.expert < 0) return tensor.shape;
  return {tensor.shape.begin() + 1, tensor.shape.end()};
}

Tensor read_weight(const GgufFile& file, const GgufName& from, const std::string& to,
                   const ModelConfig& config, at::ScalarType type) {
  // Gemma's norms multiply with 1 + weight; the file has the sum.
  if (config.norm_offset && to.find("norm.weight") != std::string::npos)
    return convert_finite(file.get(from.name, at::kFloat) - 1, type,
                          file.where() + ": tensor '" + from.name + "'");
  const Tensor weight = from.expert < 0 ? file.get(from.name, type) : file.get(from.name, from.expert, type);
  const int64_t heads = interleaved_heads(to, config);
  return heads == 0 ? weight : uninterleave(weight, heads);
}

void check_weight(const GgufFile& file, const GgufName& from, const Tensor& wanted,
                  const ModelConfig& config) {
  const std::string where = file.where() + ": tensor '" + from.name + "'";
  const auto found = file.tensors().find(from.name);
  if (found == file.tensors().end()) fail_input(where, "is missing");
  const GgufTensor& tensor = found->second;
  const bool stacked = from.expert < 0 || tensor.shape.front() == config.num_experts;
  if (!stacked || at::IntArrayRef(shape_in_file(tensor, from)) != wanted.sizes())
    fail_input(where, fmt::format("is [{}], the metadata asks for {}[{}]", fmt::join(tensor.shape, ", "),
                                  from.expert < 0 ? "" : fmt::format("{} of ", config.num_experts),
                                  fmt::join(wanted.sizes().vec(), ", ")));
}

}  // namespace

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
  Model shapes = skeleton(config);
  std::set<std::string> used = kRead;
  std::vector<TensorSource> sources;
  for (const auto& [name, weight] : named_parameters(shapes)) {
    const GgufName from = gguf_name(name, config);
    check_weight(file, from, *weight, config);
    used.insert(from.name);
    sources.push_back({name, type, weight->sizes().vec(),
                       [&, from, to = name] { return read_weight(file, from, to, config, type); }});
  }
  for (const auto& item : file.tensors())
    if (used.count(item.first) == 0)
      fail_input(file.where() + ": tensor '" + item.first + "'", "has no place in a " + config.architecture);
  write_safetensors_one_by_one(dir / "model.safetensors", sources, {{"format", "pt"}});
}

}  // namespace sdft
