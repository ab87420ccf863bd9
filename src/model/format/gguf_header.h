// The GGUF format of llama.cpp, versions 2 and 3, little-endian: "GGUF", version, counts, metadata (key,
// type, value), tensor entries (name, shape, type, offset), padding, tensors. Reading maps the file; this is
// all but the tensors' numbers, which model/gguf.h reads.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "model/format/gguf_quants.h"

namespace sdft {

// Types of metadata values.
struct GgufValue {
  enum Type : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };
};

constexpr uint64_t kGgufAlignment = 32;  // of the tensors, where the metadata does not say

struct GgufTensor {
  const GgufType* type;        // one that can be read
  std::vector<int64_t> shape;  // slowest first, as torch has it: [out, in]; the file says it the other way
  const unsigned char* data;   // within the mapped file, which has all of it
  size_t bytes;
};

class GgufHeader {
 public:
  // Throws Error(kInput) naming the file and what is wrong with it: another format or version, a count, a
  // length or an offset beyond the file's end, a key or a tensor named twice, a shape that overflows,
  // overlapping tensors, a tensor type that is not read.
  explicit GgufHeader(const std::filesystem::path& path);

  const std::string& where() const { return where_; }  // the path, for messages
  const std::map<std::string, Json>& metadata() const { return metadata_; }
  const std::map<std::string, GgufTensor>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  // metadata()[key], which must be there and a T, or `fallback` where it is not there. Error(kInput).
  template <typename T>
  T require(const std::string& key) const;
  template <typename T>
  T value_or(const std::string& key, T fallback) const;

 protected:
  const GgufTensor& find(const std::string& name) const;  // Error(kInput) where there is none

 private:
  std::shared_ptr<MappedFile> file_;
  std::string where_;
  std::map<std::string, Json> metadata_;
  std::map<std::string, GgufTensor> tensors_;
};

template <typename T>
T GgufHeader::require(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) fail_field(Json::object(), key, where_);
  try {
    return found->second.get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_field(Json{{key, found->second}}, key, where_);
  }
}

template <typename T>
T GgufHeader::value_or(const std::string& key, T fallback) const {
  return metadata_.count(key) > 0 ? require<T>(key) : fallback;
}

}  // namespace sdft
