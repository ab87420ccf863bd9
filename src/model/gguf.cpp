#include "model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/interrupt.h"
#include "model/convert.h"

namespace sdft {
namespace fs = std::filesystem;

Tensor GgufFile::get(const std::string& name, at::ScalarType type) const {
  return decode(name, find(name), type);
}

GgufTensor GgufFile::part(const std::string& name, int64_t index) const {
  GgufTensor part = find(name);
  const int64_t parts = part.shape.front();
  if (part.shape.size() < 2 || index < 0 || index >= parts)
    fail_input(where(), fmt::format("tensor '{}' has no part {}", name, index));
  part.shape.erase(part.shape.begin());
  part.bytes /= static_cast<size_t>(parts);
  part.data += static_cast<size_t>(index) * part.bytes;
  return part;
}

Tensor GgufFile::get(const std::string& name, int64_t index, at::ScalarType type) const {
  return decode(name, part(name, index), type);
}

Tensor GgufFile::decode(const std::string& name, const GgufTensor& stored, at::ScalarType type) const {
  Tensor values = at::empty(stored.shape, at::TensorOptions().dtype(type));
  // Piece by piece, so that a large matrix is never there as f32 as well.
  constexpr int64_t kPiece = 1 << 20;
  const auto block = static_cast<int64_t>(stored.type->elements);
  Tensor flat = values.view({-1}), piece = at::empty({std::min(kPiece, flat.numel())}, at::kFloat);
  const unsigned char* bytes = stored.data;
  for (int64_t begin = 0; begin < flat.numel(); begin += kPiece) {
    stop_if_interrupted();
    const int64_t count = std::min(kPiece, flat.numel() - begin);
    float* out = piece.data_ptr<float>();
    for (int64_t i = 0; i < count; i += block, bytes += stored.type->bytes)
      decode_block(*stored.type, bytes, out + i);
    flat.narrow(0, begin, count)
        .copy_(convert_finite(piece.narrow(0, 0, count), type, where() + ": tensor '" + name + "'"));
  }
  return values;
}

namespace {
void put_number(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

void put_string(std::string& out, const std::string& text) {
  put_number(out, text.size(), 8);
  out += text;
}

GgufValue::Type type_of(const Json& value) {
  if (value.is_string()) return GgufValue::kString;
  if (value.is_boolean()) return GgufValue::kBool;
  return value.is_number_integer() ? GgufValue::kU32 : GgufValue::kF32;
}

void put_plain(std::string& out, const Json& value) {
  if (value.is_string()) return put_string(out, value.get_ref<const std::string&>());
  if (value.is_boolean()) return put_number(out, value.get<bool>() ? 1 : 0, 1);
  if (value.is_number_integer()) return put_number(out, value.get<uint32_t>(), 4);
  const auto number = value.get<float>();
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  put_number(out, bits, 4);
}

void put_value(std::string& out, const Json& value) {
  if (!value.is_array()) {
    put_number(out, type_of(value), 4);
    return put_plain(out, value);
  }
  const bool whole = value.empty() || value[0].is_number_integer();
  put_number(out, GgufValue::kArray, 4);
  put_number(out, whole ? GgufValue::kI32 : type_of(value[0]), 4);
  put_number(out, value.size(), 8);
  for (const Json& item : value) put_plain(out, item);
}

uint64_t aligned(uint64_t at) { return (at + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }

uint64_t bytes_of(const GgufSource& tensor) {
  uint64_t numbers = 1;
  for (const int64_t size : tensor.shape) numbers *= static_cast<uint64_t>(size);
  return numbers / tensor.type->elements * tensor.type->bytes;
}

// The tensor as its type has it.
Tensor stored_bytes(const GgufSource& tensor) {
  constexpr std::pair<uint32_t, at::ScalarType> kNumbers[] = {
      {kGgufF32, at::kFloat}, {kGgufF16, at::kHalf}, {kGgufBf16, at::kBFloat16}};
  const std::string where = "tensor '" + tensor.name + "'";
  const Tensor values = tensor.make().contiguous();
  for (const auto& [id, type] : kNumbers)
    if (id == tensor.type->id) return convert_finite(values, type, where);
  convert_finite(values, at::kHalf, where);  // what scales are kept in
  const Tensor numbers = values.to(at::kFloat);
  const GgufType& type = *tensor.type;
  Tensor out = at::empty({static_cast<int64_t>(bytes_of(tensor))}, at::kByte);
  const auto* from = numbers.data_ptr<float>();
  auto* to = out.data_ptr<unsigned char>();
  at::parallel_for(
      0, numbers.numel() / static_cast<int64_t>(type.elements), 1024, [&](int64_t begin, int64_t end) {
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end) && !interrupted; ++i)
          type.encode(from + i * type.elements, to + i * type.bytes);
      });
  stop_if_interrupted();
  return out;
}
}  // namespace

void write_gguf(const fs::path& path, const GgufMetadata& metadata, const std::vector<GgufSource>& tensors) {
  std::string header = "GGUF";
  put_number(header, 3, 4);
  put_number(header, tensors.size(), 8);
  put_number(header, metadata.size(), 8);
  for (const auto& [key, value] : metadata) {
    put_string(header, key);
    put_value(header, value);
  }
  uint64_t offset = 0;
  for (const GgufSource& tensor : tensors) {
    put_string(header, tensor.name);
    put_number(header, tensor.shape.size(), 4);
    for (size_t i = tensor.shape.size(); i-- > 0;)
      put_number(header, static_cast<uint64_t>(tensor.shape[i]), 8);
    put_number(header, tensor.type->id, 4);
    put_number(header, offset, 8);
    offset = aligned(offset + bytes_of(tensor));
  }
  header.resize(aligned(header.size()), '\0');
  write_file_atomic(path, [&](const auto& put) {
    put(header.data(), header.size());
    const std::string zeros(kGgufAlignment, '\0');
    for (const GgufSource& tensor : tensors) {
      const Tensor bytes = stored_bytes(tensor);
      put(bytes.data_ptr(), bytes.nbytes());
      put(zeros.data(), aligned(bytes.nbytes()) - bytes.nbytes());
    }
  });
}

}  // namespace sdft
