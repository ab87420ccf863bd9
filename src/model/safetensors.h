// Tensors of safetensors files (model/format/safetensors_header.h), and such files. Nothing is copied until a
// tensor is asked for.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/format/safetensors_header.h"
#include "tensor/torch_compat.h"

namespace sdft {

class SafetensorsFile : public SafetensorsHeader {
 public:
  using SafetensorsHeader::SafetensorsHeader;
  // A tensor over the mapped bytes: read-only, the file stays mapped as long as it lives. Error(kInput)
  // where the file has none of that name or it is of a type that torch has not everywhere (fp8, unsigned).
  Tensor get(const std::string& name) const;
};

// Writes name -> tensor (any device; f32, f16, bf16, i64, ...) atomically, the names in the given order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// The same where not all tensors fit into memory at once: make() is called as each is written.
struct TensorSource {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  std::function<Tensor()> make;  // of that type and shape
};
void write_safetensors_one_by_one(const std::filesystem::path& path, const std::vector<TensorSource>& tensors,
                                  const std::map<std::string, std::string>& metadata = {});

// All tensors of a model folder.
class ModelFiles : public ModelHeaders {
 public:
  using ModelHeaders::ModelHeaders;
  Tensor get(const std::string& name) const;  // Error(kInput) as info() and SafetensorsFile::get()
};

}  // namespace sdft
