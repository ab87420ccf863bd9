// Tensors of GGUF files (model/format/gguf_header.h), and such files.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "model/format/gguf_header.h"
#include "model/safetensors.h"

namespace sdft {

class GgufFile : public GgufHeader {
 public:
  using GgufHeader::GgufHeader;
  // A copy as f32, f16 or bf16, of the tensor's shape. Error(kInput) where there is no such tensor, or
  // where a number is too large for f16.
  Tensor get(const std::string& name, at::ScalarType type) const;
  // The index-th part of a tensor along its first dimension, which is then gone.
  GgufTensor part(const std::string& name, int64_t index) const;
  Tensor get(const std::string& name, int64_t index, at::ScalarType type) const;

 private:
  Tensor decode(const std::string& name, const GgufTensor& stored, at::ScalarType type) const;
};

// Writes version 3 with the tensors as f32. Values: strings (string), whole numbers (u32), others (f32).
using GgufMetadata = std::vector<std::pair<std::string, Json>>;
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata, const NamedTensors& tensors);

}  // namespace sdft
