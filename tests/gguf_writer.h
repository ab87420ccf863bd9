// Writes GGUF files byte by byte, so that tests can have any they like, broken ones included.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/json.h"

namespace sdft::testing {

class GgufBytes {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  static std::string little(uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
    return out;
  }
  static std::string text(const std::string& value) { return little(value.size(), 8) + value; }
  static std::string floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }

  void raw_key(const std::string& key, const std::string& type_and_value) {
    keys_ += text(key) + type_and_value;
    ++key_count_;
  }
  // Strings, booleans, whole numbers (u32; in arrays i32), other numbers (f32), arrays of these.
  void key(const std::string& name, const Json& value) {
    if (!value.is_array()) return raw_key(name, little(type_of(value), 4) + bytes_of(value));
    const uint32_t type = value.empty() || value[0].is_number_integer() ? 5 : type_of(value[0]);
    std::string bytes = little(9, 4) + little(type, 4) + little(value.size(), 8);
    for (const Json& item : value) bytes += bytes_of(item);
    raw_key(name, bytes);
  }
  // shape: slowest first.
  void tensor(const std::string& name, const std::vector<uint64_t>& shape, uint32_t type,
              const std::string& bytes) {
    raw_tensor(name, shape, type, data_.size());
    data_ += bytes;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
  }
  void raw_tensor(const std::string& name, const std::vector<uint64_t>& shape, uint32_t type,
                  uint64_t offset) {
    entries_ += text(name) + little(shape.size(), 4);
    for (size_t i = shape.size(); i-- > 0;) entries_ += little(shape[i], 8);
    entries_ += little(type, 4) + little(offset, 8);
    ++tensor_count_;
  }
  std::string bytes() const {
    std::string out =
        "GGUF" + little(version, 4) + little(tensor_count_, 8) + little(key_count_, 8) + keys_ + entries_;
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data_;
  }

 private:
  static uint32_t type_of(const Json& value) {
    return value.is_string() ? 8 : value.is_boolean() ? 7 : value.is_number_integer() ? 4 : 6;
  }
  static std::string bytes_of(const Json& value) {
    if (value.is_string()) return text(value.get<std::string>());
    if (value.is_boolean()) return little(value.get<bool>() ? 1 : 0, 1);
    if (value.is_number_integer()) return little(static_cast<uint64_t>(value.get<int64_t>()), 4);
    return floats({value.get<float>()});
  }

  std::string keys_, entries_, data_;
  uint64_t key_count_ = 0, tensor_count_ = 0;
};

}  // namespace sdft::testing
