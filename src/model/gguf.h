// Tensors of GGUF files (model/format/gguf_header.h), and such files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/format/gguf_header.h"
#include "tensor/torch_compat.h"

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

// Strings (string), booleans, whole numbers (u32; in arrays i32), others (f32), and arrays of one of these.
using GgufMetadata = std::vector<std::pair<std::string, Json>>;
// A tensor to be written; make() is called as it is, so that not all need fit into memory at once.
struct GgufSource {
  std::string name;
  std::vector<int64_t> shape;
  const GgufType* type;          // F32, F16, BF16, or one with encode() whose blocks fit into a row
  std::function<Tensor()> make;  // real numbers of that shape
};
// Version 3. Error(kInput) naming the tensor for a number that is not finite, or too large for the type.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufSource>& tensors);

}  // namespace sdft
