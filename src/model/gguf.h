// The GGUF format of llama.cpp, versions 2 and 3, little-endian: "GGUF", version, counts, metadata (key,
// type, value), tensor entries (name, shape, type, offset), padding, tensors.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf_quants.h"
#include "model/safetensors.h"

namespace sdft {

struct GgufTensor {
  const GgufType* type;        // one that can be read
  std::vector<int64_t> shape;  // slowest first, as torch has it: [out, in]; the file says it the other way
  const unsigned char* data;   // within the mapped file, which has all of it
  size_t bytes;
};

class GgufFile {
 public:
  // Throws Error(kInput) naming the file and what is wrong with it: another format or version, a count, a
  // length or an offset beyond the file's end, a key or a tensor named twice, a shape that overflows,
  // overlapping tensors, a tensor type that is not read.
  explicit GgufFile(const std::filesystem::path& path);

  const std::string& where() const { return where_; }  // the path, for messages
  const std::map<std::string, Json>& metadata() const { return metadata_; }
  const std::map<std::string, GgufTensor>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  // metadata()[key], which must be there and a T, or `fallback` where it is not there. Error(kInput).
  template <typename T>
  T require(const std::string& key) const;
  template <typename T>
  T value_or(const std::string& key, T fallback) const;

  // A copy as f32, f16 or bf16, of the tensor's shape. Error(kInput) where there is no such tensor, or
  // where a number is too large for f16.
  Tensor get(const std::string& name, at::ScalarType type) const;
  // The same for the index-th part along the first dimension, which is then gone.
  Tensor get(const std::string& name, int64_t index, at::ScalarType type) const;

 private:
  const GgufTensor& find(const std::string& name) const;
  Tensor decode(const std::string& name, const GgufTensor& stored, at::ScalarType type) const;

  std::shared_ptr<MappedFile> file_;
  std::string where_;
  std::map<std::string, Json> metadata_;
  std::map<std::string, GgufTensor> tensors_;
};

// Writes version 3 with the tensors as f32. Values: strings (string), whole numbers (u32), others (f32).
using GgufMetadata = std::vector<std::pair<std::string, Json>>;
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata, const NamedTensors& tensors);

template <typename T>
T GgufFile::require(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) fail_field(Json::object(), key, where_);
  try {
    return found->second.get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_field(Json{{key, found->second}}, key, where_);
  }
}

template <typename T>
T GgufFile::value_or(const std::string& key, T fallback) const {
  return metadata_.count(key) > 0 ? require<T>(key) : fallback;
}

}  // namespace sdft
