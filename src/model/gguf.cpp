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

void put_value(std::string& out, const Json& value) {
  if (value.is_string()) {
    put_number(out, GgufValue::kString, 4);
    put_string(out, value.get<std::string>());
  } else if (value.is_number_integer()) {
    put_number(out, GgufValue::kU32, 4);
    put_number(out, value.get<uint32_t>(), 4);
  } else {
    const auto number = value.get<float>();
    uint32_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    put_number(out, GgufValue::kF32, 4);
    put_number(out, bits, 4);
  }
}

uint64_t aligned(uint64_t at) { return (at + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }
}  // namespace

void write_gguf(const fs::path& path, const GgufMetadata& metadata, const NamedTensors& tensors) {
  std::string header = "GGUF";
  put_number(header, 3, 4);
  put_number(header, tensors.size(), 8);
  put_number(header, metadata.size(), 8);
  for (const auto& [key, value] : metadata) {
    put_string(header, key);
    put_value(header, value);
  }
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    put_string(header, name);
    put_number(header, static_cast<uint64_t>(tensor.dim()), 4);
    for (int64_t i = tensor.dim(); i-- > 0;) put_number(header, static_cast<uint64_t>(tensor.size(i)), 8);
    put_number(header, kGgufF32, 4);
    put_number(header, offset, 8);
    offset = aligned(offset + static_cast<uint64_t>(tensor.numel()) * sizeof(float));
  }
  header.resize(aligned(header.size()), '\0');
  write_file_atomic(path, [&](const auto& put) {
    put(header.data(), header.size());
    const std::string zeros(kGgufAlignment, '\0');
    for (const auto& named : tensors) {
      const Tensor values =
          convert_finite(named.second, at::kFloat, "tensor '" + named.first + "'").contiguous();
      put(values.data_ptr(), values.nbytes());
      put(zeros.data(), aligned(values.nbytes()) - values.nbytes());
    }
  });
}

}  // namespace sdft
