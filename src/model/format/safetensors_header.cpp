#include "model/format/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/model_folder.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
struct Type {
  const char* name;
  size_t bytes;
};
constexpr Type kTypes[] = {
    {"F64", 8}, {"F32", 4},  {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4},     {"I16", 2},     {"I8", 1},
    {"U8", 1},  {"BOOL", 1}, {"U64", 8}, {"U32", 4},  {"U16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
};

const Type* find_type(const std::string& name) {
  for (const Type& type : kTypes)
    if (name == type.name) return &type;
  return nullptr;
}

constexpr size_t kMaxHeader = 100u << 20;  // the format's own limit
constexpr int kDeepest = 100;
constexpr const char* kCutOffHint = "the file is damaged or was not downloaded completely";

Json parse_header(const MappedFile& file, const fs::path& path, size_t* data_begin) {
  if (file.size() < 8)
    fail_input(path.string(), "is not a safetensors file: shorter than 8 bytes", kCutOffHint);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | file.data()[i];
  if (length > kMaxHeader)
    fail_input(path.string(), "its header claims " + std::to_string(length) + " bytes; the limit is 100 MB");
  if (length > file.size() - 8)
    fail_input(path.string(), "its header is " + std::to_string(length) + " bytes, but the file ends before",
               kCutOffHint);
  *data_begin = 8 + length;
  std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, length);
  if (text.empty() || text[0] != '{') fail_input(path.string(), "its header does not start with '{'");
  // The parser takes it for the end of the text.
  if (text.find('\0') != text.npos) fail_input(path.string(), "its header has a NUL byte", kCutOffHint);
  std::set<std::string> seen, seen_inside;  // keys of the header, and of its entry at hand
  // A key given twice would silently hide a tensor, or what another program takes it for.
  auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDeepest) fail_input(path.string(), "its header is nested too deep");
    if (event == Json::parse_event_t::object_start && depth == 1) seen_inside.clear();
    if (event != Json::parse_event_t::key || depth > 2) return true;
    const auto key = value.get<std::string>();
    const bool counts = depth == 1 || key == "dtype" || key == "shape" || key == "data_offsets";
    if (counts && !(depth == 1 ? seen : seen_inside).insert(key).second)
      fail_input(path.string(), "its header has the key '" + key + "' twice");
    return true;
  };
  try {
    Json header = Json::parse(text, check);
    if (!header.is_object()) fail_input(path.string(), "its header is not an object");
    return header;
  } catch (const nlohmann::json::exception& e) {
    fail_input(path.string(), "its header is not valid JSON", kCutOffHint);
  }
}

std::vector<int64_t> unsigned_array(const Json& entry, const std::string& key, const std::string& where) {
  if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array()) fail_field(entry, key, where);
  std::vector<int64_t> numbers;
  for (const Json& n : entry[key]) {
    if (!n.is_number_unsigned() ||
        n.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      fail_input(where, "'" + key + "' holds " + describe(n) + ", expected a size");
    numbers.push_back(n.get<int64_t>());
  }
  return numbers;
}
}  // namespace

bool byte_count(const std::vector<int64_t>& shape, size_t element, size_t* bytes) {
  size_t count = element;
  for (int64_t n : shape) {
    if (n < 0) return false;
    if (n != 0 && count > std::numeric_limits<size_t>::max() / static_cast<size_t>(n)) return false;
    count *= static_cast<size_t>(n);
  }
  *bytes = count;
  return true;
}

SafetensorsHeader::SafetensorsHeader(const fs::path& path) : path_(path) {
  file_ = std::make_shared<MappedFile>(path);
  size_t data_begin = 0;
  const Json header = parse_header(*file_, path, &data_begin);
  const size_t data_size = file_->size() - data_begin;
  std::vector<std::pair<size_t, std::string>> order;
  for (const auto& [name, value] : header.items()) {
    const std::string where = path.string() + ": tensor '" + name + "'";
    if (name == "__metadata__") {
      if (value.is_null()) continue;
      if (!value.is_object()) fail_input(path.string(), "its __metadata__ is not an object");
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) fail_input(path.string(), "its __metadata__ '" + key + "' is not a string");
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    const std::string dtype = require<std::string>(value, "dtype", where);
    const Type* type = find_type(dtype);
    if (!type) fail_input(where, "has the type '" + dtype + "', which safetensors has not");
    Entry entry{type->name, unsigned_array(value, "shape", where), 0, 0};
    auto offsets = unsigned_array(value, "data_offsets", where);
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      fail_input(where, "'data_offsets' is not [begin, end]");
    entry.begin = data_begin + static_cast<size_t>(offsets[0]);
    entry.bytes = static_cast<size_t>(offsets[1] - offsets[0]);
    size_t expected = 0;
    // An empty tensor may still have sides that torch cannot count with.
    std::vector<int64_t> sides = entry.shape;
    sides.erase(std::remove(sides.begin(), sides.end(), 0), sides.end());
    size_t countable = 0;
    if (!byte_count(entry.shape, type->bytes, &expected) || expected != entry.bytes ||
        !byte_count(sides, 2 * type->bytes, &countable))
      fail_input(where, "its shape and type do not fit its " + std::to_string(entry.bytes) + " bytes");
    if (static_cast<size_t>(offsets[1]) > data_size)
      fail_input(where, "lies beyond the end of the file", kCutOffHint);
    order.emplace_back(entry.begin, name);
    entries_[name] = entry;
  }
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return std::make_pair(a.first, entries_[a.second].bytes) <
           std::make_pair(b.first, entries_[b.second].bytes);
  });
  size_t at = data_begin;
  for (const auto& [begin, name] : order) {
    if (begin != at) fail_input(path.string(), "tensor '" + name + "' overlaps another or leaves a gap");
    at = begin + entries_[name].bytes;
    names_.push_back(name);
  }
  if (at != file_->size()) fail_input(path.string(), "has bytes that belong to no tensor", kCutOffHint);
}

const SafetensorsHeader::Entry& SafetensorsHeader::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail_input(path_.string(), "has no tensor '" + name + "'");
  return found->second;
}

TensorInfo SafetensorsHeader::info(const std::string& name) const {
  const Entry& entry = find(name);
  return {entry.type, entry.shape};
}

void SafetensorsHeader::release(const std::string& name) const {
  const Entry& entry = find(name);
  file_->release(entry.begin, entry.bytes);
}

namespace {
// A link that leads nowhere too: opening it says so.
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}
}  // namespace

ModelHeaders::ModelHeaders(const fs::path& model_dir) : dir_(model_dir) {
  require_folder(model_dir, FolderKind::kModel);
  const fs::path single = model_dir / "model.safetensors", index = model_dir / "model.safetensors.index.json";
  if (is_there(single)) {
    shards_.emplace_back(single);
  } else if (is_there(index)) {
    const Json json = read_json(index);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
      fail_field(json, "weight_map", index.string());
    std::set<std::string> files;
    for (const auto& item : json["weight_map"].items()) {
      if (!item.value().is_string())
        fail_input(index.string(), "weight_map of '" + item.key() + "' is not a file name");
      files.insert(item.value().get<std::string>());
    }
    for (const auto& file : files) {
      if (file.find('/') != std::string::npos)
        fail_input(index.string(), "names a file outside the folder: " + file);
      if (!is_there(model_dir / file))
        fail_input((model_dir / file).string(), "is missing, which model.safetensors.index.json names",
                   "is the download complete?");
      shards_.emplace_back(model_dir / file);
    }
    for (const auto& item : json["weight_map"].items()) {
      bool present =
          std::any_of(shards_.begin(), shards_.end(), [&](const auto& s) { return s.has(item.key()); });
      if (!present) fail_input(index.string(), "lists tensor '" + item.key() + "', which no shard has");
    }
  } else {
    fail_no_weights(model_dir, FolderKind::kModel);
  }
  for (size_t i = 0; i < shards_.size(); ++i)
    for (const auto& name : shards_[i].names())
      if (!where_.emplace(name, i).second)
        fail_input(model_dir.string(), "tensor '" + name + "' is in two shards");
}

const SafetensorsHeader& ModelHeaders::shard_of(const std::string& name) const {
  auto found = where_.find(name);
  if (found == where_.end())
    fail_input(dir_.string(), "tensor '" + name + "' is missing from the weights",
               "does config.json belong to them?");
  return shards_[found->second];
}

TensorInfo ModelHeaders::info(const std::string& name) const { return shard_of(name).info(name); }
void ModelHeaders::release(const std::string& name) const { shard_of(name).release(name); }

std::vector<std::string> ModelHeaders::names() const {
  std::vector<std::string> names;
  for (const auto& item : where_) names.push_back(item.first);
  return names;
}

}  // namespace sdft
