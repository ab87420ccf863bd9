// The safetensors format: 8 bytes header length, a JSON header, tensors. Reading maps the file; nothing is
// copied until a tensor is asked for.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/torch_compat.h"

namespace sdft {

struct TensorInfo {
  std::string type;  // as the file names it: "F32", "BF16", "F8_E4M3"
  std::vector<int64_t> shape;
};

class SafetensorsFile {
 public:
  // Throws Error(kInput) naming the file and what is wrong with its header (too long, not JSON, overlapping
  // or missing byte ranges, sizes that do not fit the shape, a truncated file, ...).
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<std::string>& names() const { return names_; }  // in order of their bytes
  bool has(const std::string& name) const { return entries_.count(name) > 0; }
  // A tensor over the mapped bytes: read-only, valid while this object (or a copy of it) lives. Error(kInput)
  // where the file has none of that name or it is of a type that torch has not everywhere (fp8, unsigned).
  Tensor get(const std::string& name) const;
  TensorInfo info(const std::string& name) const;  // Error(kInput) where there is none
  // A tensor that has been copied need not stay in memory a second time.
  void release(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    at::ScalarType type;
    const char* type_name;
    std::vector<int64_t> shape;
    size_t begin;
    size_t bytes;
  };
  const Entry& find(const std::string& name) const;

  std::shared_ptr<MappedFile> file_;
  std::filesystem::path path_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
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

// All tensors of a model folder: model.safetensors, or the shards that model.safetensors.index.json lists.
class ModelFiles {
 public:
  explicit ModelFiles(const std::filesystem::path& model_dir);
  bool has(const std::string& name) const { return where_.count(name) > 0; }
  Tensor get(const std::string& name) const;  // Error(kInput) naming the folder where it is missing
  TensorInfo info(const std::string& name) const;
  void release(const std::string& name) const;  // see SafetensorsFile
  std::vector<std::string> names() const;

 private:
  const SafetensorsFile& shard_of(const std::string& name) const;

  std::filesystem::path dir_;
  std::vector<SafetensorsFile> shards_;
  std::map<std::string, size_t> where_;
};

}  // namespace sdft
