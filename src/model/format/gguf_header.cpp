#include "model/format/gguf_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kTruncatedHint = "the file is damaged or was not downloaded completely";
constexpr int kMostDimensions = 4;
// Beyond all vocabularies there are: what is read takes many times the memory, and a sparse file costs
// nothing.
constexpr size_t kMostHeader = size_t{1} << 28, kMostValues = size_t{1} << 24, kMostTensors = size_t{1} << 20;

// Bytes that a value of this type takes at least: what a count may be checked against. 0: no such type.
size_t least_bytes(uint32_t type) {
  constexpr size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

// 0.1f as 0.1 and not as 0.10000000149011612: what was meant, and the same float again.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

// The header from front to back. Every length is checked against what is left before it is used.
class Cursor {
 public:
  Cursor(const MappedFile& file, const std::string& where) : file_(file), where_(where) {}

  size_t at() const { return at_; }

  template <typename T>
  T number(const std::string& what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof value, what), sizeof value);
    return value;
  }
  std::string string(const std::string& what) {
    const auto length = number<uint64_t>(what);
    return {reinterpret_cast<const char*>(take(length, what)), length};
  }
  // A number of things of at least `least` bytes each.
  size_t count(size_t least, const std::string& what) {
    const auto n = number<uint64_t>(what);
    if (n > left() / least)
      fail_input(where_, fmt::format("claims {} {}, more than its {} bytes can hold", n, what, file_.size()),
                 kTruncatedHint);
    return n;
  }

  Json value(uint32_t type, const std::string& what, int depth = 0) {
    switch (type) {
      case GgufValue::kU8:
        return number<uint8_t>(what);
      case GgufValue::kI8:
        return number<int8_t>(what);
      case GgufValue::kU16:
        return number<uint16_t>(what);
      case GgufValue::kI16:
        return number<int16_t>(what);
      case GgufValue::kU32:
        return number<uint32_t>(what);
      case GgufValue::kI32:
        return number<int32_t>(what);
      case GgufValue::kF32:
        return shortest(number<float>(what));
      case GgufValue::kBool:
        return number<uint8_t>(what) != 0;
      case GgufValue::kString:
        return string(what);
      case GgufValue::kU64:
        return number<uint64_t>(what);
      case GgufValue::kI64:
        return number<int64_t>(what);
      case GgufValue::kF64:
        return number<double>(what);
      case GgufValue::kArray:
        return array(what, depth);
      default:
        fail_input(where_, fmt::format("{} has the value type {}, which is not known", what, type));
    }
  }

 private:
  size_t left() const { return file_.size() - at_; }
  const unsigned char* take(uint64_t bytes, const std::string& what) {
    if (bytes > left())
      fail_input(where_,
                 fmt::format("ends within {}: {} bytes are needed at byte {}, {} are left", what, bytes, at_,
                             left()),
                 kTruncatedHint);
    at_ += bytes;
    if (at_ > kMostHeader)
      fail_input(where_,
                 fmt::format("its header goes on behind {}; {} bytes are the limit", what, kMostHeader));
    return file_.data() + at_ - bytes;
  }
  Json array(const std::string& what, int depth) {
    if (depth == kMostDimensions) fail_input(where_, what + ": arrays are nested too deep");
    const auto type = number<uint32_t>(what);
    const size_t least = least_bytes(type);
    if (least == 0)
      fail_input(where_, fmt::format("{} is an array of the value type {}, which is not known", what, type));
    const size_t n = count(least, "values in " + what);
    values_ += n;
    if (values_ > kMostValues)
      fail_input(where_, fmt::format("has more than {} values in its metadata", kMostValues));
    Json values = Json::array();
    for (size_t i = 0; i < n; ++i) values.push_back(value(type, what, depth + 1));
    return values;
  }

  const MappedFile& file_;
  const std::string& where_;
  size_t at_ = 0, values_ = 0;
};

void check_version(Cursor& cursor, const MappedFile& file, const std::string& where) {
  if (file.size() < 4 || std::memcmp(file.data(), "GGUF", 4) != 0)
    fail_input(where, "is not a GGUF file: it does not start with 'GGUF'");
  cursor.number<uint32_t>("its first bytes");
  const auto version = cursor.number<uint32_t>("the version");
  if (version == 2 || version == 3) return;
  if (version >> 16 != 0 && (version & 0xffff) == 0)
    fail_input(where, "is a big-endian GGUF file, which is not read");
  fail_input(where, fmt::format("has the GGUF version {}; 2 and 3 are read", version));
}

// A tensor's entry, its data still an offset.
struct Entry {
  std::string name;
  GgufTensor tensor;
  uint64_t offset;
};

// Elements and bytes of the shape, which the file gives fastest first.
void measure(Entry& entry, const std::string& place) {
  GgufTensor& t = entry.tensor;
  const auto block = static_cast<int64_t>(t.type->elements);
  const int64_t row = t.shape.back();
  if (row % block != 0)
    fail_input(place,
               fmt::format("has rows of {} numbers, but {} goes in blocks of {}", row, t.type->name, block));
  uint64_t blocks = static_cast<uint64_t>(row / block);
  const uint64_t most =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / t.type->bytes / t.type->elements;
  bool fits = blocks <= most;
  for (size_t i = 0; fits && i + 1 < t.shape.size(); ++i) {
    const auto n = static_cast<uint64_t>(t.shape[i]);
    fits = blocks <= most / n;
    blocks *= n;
  }
  if (!fits) fail_input(place, fmt::format("has an impossible shape: [{}]", fmt::join(t.shape, ", ")));
  t.bytes = blocks * t.type->bytes;
}

Entry read_entry(Cursor& cursor, size_t index, const std::string& where) {
  Entry entry;
  const std::string unnamed = fmt::format("the entry of tensor {}", index);
  entry.name = cursor.string(unnamed);
  const std::string what = "the entry of tensor '" + entry.name + "'",
                    place = where + ": tensor '" + entry.name + "'";
  const auto dimensions = cursor.number<uint32_t>(what);
  if (dimensions < 1 || dimensions > kMostDimensions)
    fail_input(place, fmt::format("has {} dimensions, expected 1 to {}", dimensions, kMostDimensions));
  for (uint32_t i = 0; i < dimensions; ++i) {
    const auto n = cursor.number<uint64_t>(what);
    if (n == 0 || n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      fail_input(place, fmt::format("has an impossible shape: a dimension of {}", n));
    entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<int64_t>(n));
  }
  const auto type = cursor.number<uint32_t>(what);
  entry.tensor.type = find_gguf_type(type);
  if (!entry.tensor.type || entry.tensor.type->bytes == 0)
    fail_input(place,
               entry.tensor.type ? fmt::format("has the type {}, which is not read", entry.tensor.type->name)
                                 : fmt::format("has the type number {}, which is not known", type),
               std::string("read are ") + readable_gguf_types());
  entry.offset = cursor.number<uint64_t>(what);
  measure(entry, place);
  return entry;
}

// Puts the entries where their data lies: aligned, within the file, and apart.
std::map<std::string, GgufTensor> place_tensors(std::vector<Entry> entries, const MappedFile& file,
                                                size_t header, uint64_t alignment, const std::string& where) {
  const uint64_t begin = (header + alignment - 1) / alignment * alignment;
  std::map<std::string, GgufTensor> tensors;
  for (Entry& entry : entries) {
    const std::string place = where + ": tensor '" + entry.name + "'";
    if (entry.offset % alignment != 0)
      fail_input(place,
                 fmt::format("has the offset {}, which is no multiple of {}", entry.offset, alignment));
    if (begin > file.size() || entry.offset > file.size() - begin ||
        entry.tensor.bytes > file.size() - begin - entry.offset)
      fail_input(place, "lies beyond the end of the file", kTruncatedHint);
    entry.tensor.data = file.data() + begin + entry.offset;
    if (!tensors.emplace(entry.name, entry.tensor).second) fail_input(place, "is there twice");
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.tensor.data < b.tensor.data; });
  for (size_t i = 1; i < entries.size(); ++i)
    if (entries[i - 1].tensor.data + entries[i - 1].tensor.bytes > entries[i].tensor.data)
      fail_input(where + ": tensor '" + entries[i].name + "'", "overlaps '" + entries[i - 1].name + "'");
  return tensors;
}

uint64_t alignment_of(const std::map<std::string, Json>& metadata, const std::string& where) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return kGgufAlignment;
  const Json& value = found->second;
  const uint64_t alignment = value.is_number_unsigned() ? value.get<uint64_t>() : 0;
  if (alignment == 0 || alignment > (1u << 30) || (alignment & (alignment - 1)) != 0)
    fail_input(where, "general.alignment is " + describe(value) + ", expected a power of two");
  return alignment;
}
}  // namespace

GgufHeader::GgufHeader(const fs::path& path) : where_(path.string()) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) fail_input(where_, "is a folder, expected a GGUF file");
  file_ = std::make_shared<MappedFile>(path);
  Cursor cursor(*file_, where_);
  check_version(cursor, *file_, where_);
  // An entry has at least a name's length, a number of dimensions, one of them, a type, and an offset.
  const size_t tensors = cursor.count(8 + 4 + 8 + 4 + 8, "tensors");
  const size_t keys = cursor.count(8 + 4 + 1, "metadata keys");
  if (tensors > kMostTensors)
    fail_input(where_, fmt::format("claims {} tensors; {} are the limit", tensors, kMostTensors));
  for (size_t i = 0; i < keys; ++i) {
    const std::string key = cursor.string(fmt::format("metadata key {}", i)), what = "metadata '" + key + "'";
    const auto type = cursor.number<uint32_t>(what);
    if (!metadata_.emplace(key, cursor.value(type, what)).second)
      fail_input(where_, "has the metadata key '" + key + "' twice");
  }
  std::vector<Entry> entries;
  for (size_t i = 0; i < tensors; ++i) entries.push_back(read_entry(cursor, i, where_));
  tensors_ = place_tensors(std::move(entries), *file_, cursor.at(), alignment_of(metadata_, where_), where_);
}

const GgufTensor& GgufHeader::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail_input(where_, "tensor '" + name + "' is missing");
  return found->second;
}

}  // namespace sdft
