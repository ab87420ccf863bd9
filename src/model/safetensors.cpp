#include "model/safetensors.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// Of the format's types those that torch has everywhere.
struct Type {
  const char* name;
  at::ScalarType type;
};
constexpr Type kTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},    {"BOOL", at::kBool},
};

const Type* find_type(const std::string& name) {
  for (const Type& type : kTypes)
    if (name == type.name) return &type;
  return nullptr;
}

Tensor tensor_of(const SafetensorsHeader& header, const std::string& name) {
  const SafetensorsHeader::Entry& entry = header.find(name);
  const Type* type = find_type(entry.type);
  if (!type)
    fail_input(header.path().string() + ": tensor '" + name + "'",
               std::string("has the type ") + entry.type + ", which is not supported",
               "use f32, f16 or bf16 weights");
  auto options = at::TensorOptions().dtype(type->type);
  if (entry.bytes == 0) return at::empty(entry.shape, options);
  void* bytes = const_cast<unsigned char*>(header.file()->data() + entry.begin);
  std::shared_ptr<MappedFile> keep = header.file();
  // Offsets need not be aligned to the element: such a tensor is copied.
  if (reinterpret_cast<uintptr_t>(bytes) % at::elementSize(type->type) != 0) {
    Tensor copy = at::empty(entry.shape, options);
    std::copy_n(static_cast<const char*>(bytes), entry.bytes, static_cast<char*>(copy.data_ptr()));
    return copy;
  }
  return at::from_blob(
      bytes, entry.shape, [keep](void*) {}, options);
}
}  // namespace

Tensor SafetensorsFile::get(const std::string& name) const { return tensor_of(*this, name); }

void write_safetensors(const fs::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors)
    sources.push_back(
        {name, tensor.scalar_type(), tensor.sizes().vec(), [held = tensor] { return held.detach(); }});
  write_safetensors_one_by_one(path, sources, metadata);
}

void write_safetensors_one_by_one(const fs::path& path, const std::vector<TensorSource>& tensors,
                                  const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t at = 0;
  for (const TensorSource& source : tensors) {
    const Type* type = nullptr;
    for (const Type& candidate : kTypes)
      if (candidate.type == source.type) type = &candidate;
    size_t bytes = 0;
    if (!type || !byte_count(source.shape, at::elementSize(type->type), &bytes))
      throw Error(ExitCode::kInternal, "cannot write tensor '" + source.name + "': unknown type or size");
    header[source.name] = {
        {"dtype", type->name}, {"shape", source.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start aligned
  write_file_atomic(path, [&](const auto& put) {
    unsigned char length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(text.size() >> (8 * i));
    put(length, sizeof length);
    put(text.data(), text.size());
    for (const TensorSource& source : tensors) {
      const Tensor bytes = source.make().to(at::kCPU).contiguous();
      put(bytes.data_ptr(), bytes.nbytes());
    }
  });
}

Tensor ModelFiles::get(const std::string& name) const { return tensor_of(shard_of(name), name); }

}  // namespace sdft
