#include "data/parquet.h"

#include <cstring>
#include <memory>
#include <optional>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/parquet_pages.h"

namespace sdft {
namespace {

enum Repetition { kRequired, kOptional, kRepeated };
// The format's numbers: physical types, converted types (older), logical types.
enum Physical { kBoolean, kInt32, kInt64, kInt96, kFloat, kDouble, kByteArray, kFixed };
enum Converted {
  kUtf8,
  kMap,
  kMapKeyValue,
  kList,
  kEnum,
  kDecimal,
  kDate,
  kUint8 = 11,
  kUint64 = 14,
  kInt8 = 15,
  kInt64Converted = 18,
  kJsonText = 19
};
enum Logical { kString = 1, kMapLogical, kListLogical, kEnumLogical, kInteger = 10, kUnknown, kJsonLogical };

// A field of the schema, and all below it.
struct ParquetNode {
  enum class Form { kLeaf, kStruct, kOnlyChild, kMapOfPairs };  // kOnlyChild: its value is that of its child
  std::string name;
  Repetition repetition = kRequired;
  int definition = 0, level = 0;  // the highest of both when a value of it is there
  Form form = Form::kLeaf;
  size_t column = 0;  // the first of the columns that are read below it, and one beyond the last
  size_t columns_end = 0;
  std::vector<ParquetNode> children;
};

// A column that is read, with its place among all of the file.
struct ParquetSource {
  size_t place;
  ParquetLeaf leaf;
};

// What kind of values a leaf of the schema holds; none: one that JSON has no form for.
std::optional<ParquetType> type_of(const ThriftValue& element) {
  const int64_t converted = element.number_at(6, -1);
  const ThriftValue& logical = element.at(10);  // a union: its only field says which
  const int kind = logical.parts.empty() ? -1 : logical.parts[0].id;
  const bool plain = kind == -1 ? converted == -1 : kind == kUnknown;
  const bool whole = kind == kInteger || (converted >= kUint8 && converted <= kInt64Converted) || plain;
  const bool is_unsigned =
      kind == kInteger ? logical.parts[0].number_at(2) == 0 : converted >= kUint8 && converted <= kUint64;
  const bool text = kind == kString || kind == kEnumLogical || kind == kJsonLogical ||
                    (kind == -1 && (converted == kUtf8 || converted == kEnum || converted == kJsonText));
  switch (element.number_at(1, -1)) {
    case kBoolean:
      return ParquetType::kBool;
    case kInt32:
      if (whole) return is_unsigned ? ParquetType::kUint32 : ParquetType::kInt32;
      break;
    case kInt64:
      if (whole) return is_unsigned ? ParquetType::kUint64 : ParquetType::kInt64;
      break;
    case kFloat:
      return ParquetType::kFloat;
    case kDouble:
      return ParquetType::kDouble;
    case kByteArray:
      if (text) return ParquetType::kText;
      break;
    default:
      break;
  }
  return std::nullopt;
}

// The schema's list of elements, depth first, as a tree without what is not read.
class SchemaReader {
 public:
  SchemaReader(const ThriftValue& elements, const std::string& path)
      : elements_(elements.parts), path_(path) {
    if (elements_.empty()) fail_parquet(path_, "it has no schema");
    root_ = node("", 0, 0, 0);
    if (at_ != elements_.size()) fail_parquet(path_, "its schema does not end");
    if (sources_.empty()) fail_input(path_, "has no column of text or numbers");
  }

  const ParquetNode& root() const { return root_; }
  const std::vector<ParquetSource>& sources() const { return sources_; }
  const std::vector<std::string>& notes() const { return notes_; }
  size_t leaves() const { return leaves_; }

 private:
  ParquetNode node(const std::string& parent, int definition, int level, int depth) {
    constexpr int kDeepest = 32;
    if (at_ >= elements_.size()) fail_parquet(path_, "its schema ends too early");
    if (depth > kDeepest) fail_parquet(path_, "its schema is nested too deep");
    const ThriftValue& element = elements_[at_++];
    ParquetNode made;
    made.name = std::string(element.at(4).bytes);
    const std::string name = parent.empty() ? made.name : parent + "." + made.name;
    const int64_t repetition = depth == 0 ? 0 : element.number_at(3);
    if (repetition < kRequired || repetition > kRepeated)
      fail_parquet(path_, "its schema has no such repetition");
    made.repetition = static_cast<Repetition>(repetition);
    made.definition = definition + (made.repetition != kRequired);
    made.level = level + (made.repetition == kRepeated);
    made.column = sources_.size();
    if (const int64_t children = element.number_at(5); children > 0 || depth == 0)
      add_children(made, element, depth == 0 ? "" : name, children, depth);
    else
      add_leaf(made, element, name);
    made.columns_end = sources_.size();
    return made;
  }

  void add_leaf(const ParquetNode& made, const ThriftValue& element, const std::string& name) {
    const size_t place = leaves_++;
    if (const std::optional<ParquetType> type = type_of(element))
      sources_.push_back({place, {path_ + ": column '" + name + "'", *type, made.definition, made.level}});
    else
      notes_.push_back(path_ + ": column '" + name + "' is left out: it is neither text nor a plain number");
  }

  void add_children(ParquetNode& made, const ThriftValue& element, const std::string& name, int64_t children,
                    int depth) {
    std::unordered_set<std::string> names;
    for (int64_t i = 0; i < children; ++i) {
      ParquetNode child = node(name, made.definition, made.level, depth + 1);
      if (!names.insert(child.name).second)
        fail_input(path_, "two columns are called '" + (name.empty() ? "" : name + ".") + child.name + "'");
      if (child.column != child.columns_end) made.children.push_back(std::move(child));
    }
    const int64_t converted = element.number_at(6, -1);
    const ThriftValue& logical = element.at(10);
    const bool list = converted == kList || logical.find(kListLogical),
               map = converted == kMap || converted == kMapKeyValue || logical.find(kMapLogical);
    made.form = ParquetNode::Form::kStruct;
    if (made.children.size() != 1) return;
    ParquetNode& only = made.children[0];
    const bool pairs = only.form == ParquetNode::Form::kStruct && only.children.size() == 2;
    if (only.repetition != kRepeated || children != 1) return;
    if (map && pairs) made.form = ParquetNode::Form::kMapOfPairs;
    if (!list) return;
    made.form = ParquetNode::Form::kOnlyChild;
    // Old writers left out the level between list and element; the format's rules tell it by these names.
    const bool element_itself = only.name == "array" || only.name == made.name + "_tuple";
    if (only.form == ParquetNode::Form::kStruct && only.children.size() == 1 && !element_itself)
      only.form = ParquetNode::Form::kOnlyChild;
  }

  const std::vector<ThriftValue>& elements_;
  const std::string& path_;
  size_t at_ = 0, leaves_ = 0;
  ParquetNode root_;
  std::vector<ParquetSource> sources_;
  std::vector<std::string> notes_;
};

// Puts the columns of one row group together, record by record.
class RecordAssembler {
 public:
  RecordAssembler(const std::vector<ParquetSource>& sources, std::vector<ParquetColumn> columns)
      : sources_(sources), columns_(std::move(columns)), places_(columns_.size()) {}

  Json record(const ParquetNode& root) {
    Json made = value(root);
    for (size_t i = 0; i < columns_.size(); ++i)
      if (!done(i) && columns_[i].repetitions[places_[i].entry] != 0) fail(i);
    return made;
  }
  bool done(size_t column) const { return places_[column].entry >= columns_[column].definitions.size(); }

 private:
  struct Place {
    size_t entry = 0, value = 0;
  };
  [[noreturn]] void fail(size_t column) const {
    fail_parquet(sources_[column].leaf.where, "its levels contradict those of the others");
  }
  int definition(size_t column) const {
    if (done(column)) fail(column);
    return columns_[column].definitions[places_[column].entry];
  }

  // Passes by what is missing in all columns below the node.
  bool missing(const ParquetNode& node) {
    if (definition(node.column) >= node.definition) return false;
    for (size_t i = node.column; i < node.columns_end; ++i) {
      if (definition(i) >= node.definition) fail(i);
      ++places_[i].entry;
    }
    return true;
  }

  Json field(const ParquetNode& node) {
    if (node.repetition == kRequired) return value(node);
    if (node.repetition == kOptional) return missing(node) ? Json() : value(node);
    Json list = Json::array();
    if (missing(node)) return list;
    const size_t first = node.column;
    do list.push_back(value(node));
    while (!done(first) && columns_[first].repetitions[places_[first].entry] == node.level);
    return list;
  }

  Json value(const ParquetNode& node) {
    switch (node.form) {
      case ParquetNode::Form::kLeaf:
        return leaf(node);
      case ParquetNode::Form::kOnlyChild:
        return field(node.children[0]);
      case ParquetNode::Form::kMapOfPairs:
        return map(node);
      case ParquetNode::Form::kStruct:
        break;
    }
    Json made = Json::object();
    auto& object = made.get_ref<Json::object_t&>();
    for (const ParquetNode& child : node.children) object.emplace_back(child.name, field(child));
    return made;
  }

  Json leaf(const ParquetNode& node) {
    const size_t column = node.column;
    if (definition(column) != node.definition) fail(column);
    ++places_[column].entry;
    return std::move(columns_[column].values[places_[column].value++]);
  }

  Json map(const ParquetNode& node) {
    std::vector<std::pair<std::string, Json>> named;
    Json pairs = field(node.children[0]);
    for (Json& pair : pairs) {
      const auto key = pair.get_ref<Json::object_t&>().begin(), mapped = key + 1;
      const Json& name = key->second;
      named.emplace_back(name.is_string() ? name.get<std::string>() : name.dump(), std::move(mapped->second));
    }
    return object_of(std::move(named));
  }

  const std::vector<ParquetSource>& sources_;
  std::vector<ParquetColumn> columns_;
  std::vector<Place> places_;
};

// The metadata at the end of the file: "PAR1", pages, metadata, its length in 4 bytes, "PAR1".
ThriftValue read_footer(std::string_view file, const std::string& path) {
  constexpr std::string_view kMark = "PAR1", kEncrypted = "PARE";
  constexpr size_t kTail = 8;
  if (file.substr(0, 4) == kEncrypted)
    fail_input(path, "is encrypted, which is not read", "write it unencrypted");
  if (file.substr(0, 4) != kMark) fail_input(path, "is no Parquet file: it does not begin with PAR1");
  if (file.size() < kTail + 4 || file.substr(file.size() - 4) != kMark)
    fail_input(path, "is cut off: it does not end with PAR1", "copy or download it again");
  uint32_t length;
  std::memcpy(&length, file.data() + file.size() - kTail, sizeof length);
  if (length > file.size() - kTail - 4) fail_parquet(path, "its metadata is longer than the file");
  std::string_view bytes = file.substr(file.size() - kTail - length, length);
  ThriftValue footer = read_thrift(&bytes, path);
  if (footer.find(8)) fail_input(path, "is encrypted, which is not read", "write it unencrypted");
  return footer;
}

ParquetColumn read_source(std::string_view file, const ParquetSource& source, const ThriftValue& group,
                          size_t number) {
  const ThriftValue& chunk = group.at(1).parts[source.place];
  ParquetLeaf leaf = source.leaf;
  leaf.where += ", row group " + std::to_string(number);
  if (chunk.find(8) || chunk.find(9))
    fail_input(leaf.where, "is encrypted, which is not read", "write it unencrypted");
  if (!chunk.at(1).bytes.empty()) fail_input(leaf.where, "lies in another file, which is not read");
  const ThriftValue& metadata = chunk.at(3);
  if (leaf.repetition == 0 && metadata.number_at(5) != group.number_at(3))
    fail_parquet(leaf.where, "it has not a value for each record");
  return read_parquet_column(file, metadata, leaf);
}

}  // namespace

RecordTexts parquet_records(std::string_view file, const std::string& path) {
  const ThriftValue footer = read_footer(file, path);
  const SchemaReader schema(footer.at(2), path);
  RecordTexts found;
  found.notes = schema.notes();
  if (footer.number_at(3) > kMostValues)
    fail_input(path, "has more than " + std::to_string(kMostValues) + " records",
               "write it as several files");
  uint64_t bytes = 0;
  size_t number = 0;
  for (const ThriftValue& group : footer.at(4).parts) {
    if (group.at(1).parts.size() != schema.leaves())
      fail_parquet(path, "a row group lacks columns of the schema");
    std::vector<ParquetColumn> columns;
    for (const ParquetSource& source : schema.sources()) {
      bytes += static_cast<uint64_t>(group.at(1).parts[source.place].at(3).number_at(6));
      if (bytes > kLargestDataset)
        fail_input(path, "unpacks to more than " + std::to_string(kLargestDataset) + " bytes");
      columns.push_back(read_source(file, source, group, number));
    }
    RecordAssembler assembler(schema.sources(), std::move(columns));
    if (group.number_at(3) > footer.number_at(3) - static_cast<int64_t>(found.records.size()))
      fail_parquet(path, "it has more records than it says");
    for (int64_t left = group.number_at(3); left > 0; --left) {
      if (left % 1024 == 0) stop_if_interrupted();
      auto record = std::make_shared<const Json>(assembler.record(schema.root()));
      found.records.push_back(
          {path + ": record " + std::to_string(found.records.size()), [record] { return *record; }});
    }
    for (size_t i = 0; i < schema.sources().size(); ++i)
      if (!assembler.done(i)) fail_parquet(schema.sources()[i].leaf.where, "it has more values than records");
    ++number;
  }
  if (static_cast<int64_t>(found.records.size()) != footer.number_at(3))
    fail_parquet(path, "it has not as many records as it says");
  return found;
}

}  // namespace sdft
