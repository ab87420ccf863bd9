// The safetensors format: 8 bytes header length, a JSON header, tensors. Reading maps the file; this is the
// header alone, which is checked as a whole. model/safetensors.h makes tensors of it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace sdft {

struct TensorInfo {
  std::string type;  // as the file names it: "F32", "BF16", "F8_E4M3"
  std::vector<int64_t> shape;
};

class SafetensorsHeader {
 public:
  struct Entry {
    const char* type;
    std::vector<int64_t> shape;
    size_t begin;  // of the file
    size_t bytes;  // as many as shape and type ask for
  };

  // Throws Error(kInput) naming the file and what is wrong with its header (too long, not JSON, overlapping
  // or missing byte ranges, sizes that do not fit the shape, a truncated file, ...).
  explicit SafetensorsHeader(const std::filesystem::path& path);

  const std::vector<std::string>& names() const { return names_; }  // in order of their bytes
  bool has(const std::string& name) const { return entries_.count(name) > 0; }
  const Entry& find(const std::string& name) const;  // Error(kInput) where there is none
  TensorInfo info(const std::string& name) const;    // the same
  // A tensor that has been copied need not stay in memory a second time.
  void release(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  const std::filesystem::path& path() const { return path_; }
  const std::shared_ptr<MappedFile>& file() const { return file_; }

 private:
  std::shared_ptr<MappedFile> file_;
  std::filesystem::path path_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

// The product of the shape in bytes; false where it overflows or has a negative part.
bool byte_count(const std::vector<int64_t>& shape, size_t element, size_t* bytes);

// The headers of a model folder: of model.safetensors, or of the shards that model.safetensors.index.json
// lists.
class ModelHeaders {
 public:
  explicit ModelHeaders(const std::filesystem::path& model_dir);
  bool has(const std::string& name) const { return where_.count(name) > 0; }
  TensorInfo info(const std::string& name) const;  // Error(kInput) naming the folder where it is missing
  void release(const std::string& name) const;     // see SafetensorsHeader
  std::vector<std::string> names() const;

  const SafetensorsHeader& shard_of(const std::string& name) const;  // as info()

 private:
  std::filesystem::path dir_;
  std::vector<SafetensorsHeader> shards_;
  std::map<std::string, size_t> where_;
};

}  // namespace sdft
