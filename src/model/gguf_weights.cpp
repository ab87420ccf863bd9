#include "model/gguf_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <cmath>
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

std::string place(const GgufFile& file, const std::string& tensor) {
  return file.where() + ": tensor '" + tensor + "'";
}

void check_weight(const GgufFile& file, const GgufName& from, const Tensor& wanted,
                  const ModelConfig& config) {
  const auto found = file.tensors().find(from.name);
  if (found == file.tensors().end()) fail_input(place(file, from.name), "is missing");
  const std::vector<int64_t>& shape = found->second.shape;
  const bool stacked = from.expert < 0 || shape.front() == config.num_experts;
  const std::vector<int64_t> own(shape.begin() + (from.expert < 0 ? 0 : 1), shape.end());
  if (!stacked || at::IntArrayRef(own) != wanted.sizes())
    fail_input(place(file, from.name),
               fmt::format("is [{}], the metadata asks for {}[{}]", fmt::join(shape, ", "),
                           from.expert < 0 ? "" : fmt::format("{} of ", config.num_experts),
                           fmt::join(wanted.sizes().vec(), ", ")));
}

// Which row of the file each row is.
std::vector<int64_t> rows_in_file(int64_t count, int64_t heads) {
  Tensor rows = at::arange(count).unsqueeze(1);
  if (heads > 0) rows = uninterleave(rows, heads).contiguous();
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + count};
}
}  // namespace

GgufWeights::GgufWeights(const GgufFile& file, const ModelConfig& config) : file_(file), config_(config) {
  Model shapes = skeleton(config);
  std::set<std::string> used = kRead;
  for (const auto& [name, weight] : named_parameters(shapes)) {
    const GgufName from = gguf_name(name, config);
    check_weight(file, from, *weight, config);
    used.insert(from.name);
  }
  for (const auto& item : file.tensors())
    if (used.count(item.first) == 0)
      fail_input(place(file, item.first), "has no place in a " + config.architecture);
}

Tensor GgufWeights::get(const std::string& name, at::ScalarType type) const {
  const GgufName from = gguf_name(name, config_);
  // Gemma's norms multiply with 1 + weight; the file has the sum.
  if (config_.norm_offset && name.find("norm.weight") != std::string::npos)
    return convert_finite(file_.get(from.name, at::kFloat) - 1, type, place(file_, from.name));
  const Tensor weight =
      from.expert < 0 ? file_.get(from.name, type) : file_.get(from.name, from.expert, type);
  const int64_t heads = interleaved_heads(name, config_);
  return heads == 0 ? weight : uninterleave(weight, heads);
}

const GgufType& GgufWeights::type(const std::string& name) const {
  return *file_.tensors().at(gguf_name(name, config_).name).type;
}

std::optional<ops::QuantisedForm> GgufWeights::form(const std::string& name) const {
  const GgufType& stored = type(name);
  if (!stored.split) return {};
  // A block's only scale is stored in f16, those of a block's groups are products.
  const bool groups = static_cast<size_t>(stored.form.group) < stored.elements;
  return ops::QuantisedForm{stored.form.bits, stored.form.group, stored.form.offsets,
                            groups ? at::kFloat : at::kHalf};
}

Tensor GgufWeights::quantised(const std::string& name, TensorMemory* memory) const {
  const GgufName from = gguf_name(name, config_);
  const GgufTensor stored =
      from.expert < 0 ? file_.tensors().at(from.name) : file_.part(from.name, from.expert);
  const GgufType& type = *stored.type;
  const int64_t columns = stored.shape[0], width = stored.shape[1];
  const std::vector<int64_t> rows = rows_in_file(columns, interleaved_heads(name, config_));
  const size_t blocks = static_cast<size_t>(width) / type.elements,
               groups = type.elements / static_cast<size_t>(type.form.group);
  std::atomic<bool> finite{true};
  const auto give = [&](int64_t row, uint8_t* codes, float* scales, float* offsets) {
    const unsigned char* from_file =
        stored.data + static_cast<size_t>(rows[static_cast<size_t>(row)]) * blocks * type.bytes;
    for (size_t b = 0; b < blocks; ++b) {
      float* own_scales = scales + b * groups;
      float* own_offsets = offsets + b * groups;
      type.split(from_file + b * type.bytes, codes + b * type.elements, own_scales, own_offsets);
      for (size_t g = 0; g < groups; ++g)
        if (!std::isfinite(own_scales[g]) || (type.form.offsets && !std::isfinite(own_offsets[g])))
          finite = false;
    }
  };
  const Tensor result = ops::quantised(stored.shape, *form(name), give, memory);
  if (!finite) fail_input(place(file_, from.name), "has a scale that is not finite");
  return result;
}

}  // namespace sdft
