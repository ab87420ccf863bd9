#include "data/arrow_schema.h"

#include <unordered_set>

#include "base/error.h"

namespace sdft {
namespace {

enum FieldPart { kName = 0, kTypeNumber = 2, kType, kDictionaryOf, kChildren, kFieldMetadata };

struct ArrowType {
  const char* name;
  ArrowForm form;
  int bytes, buffers;  // buffers < 0: refused
};
// By the format's numbers.
constexpr ArrowType kTypes[] = {{"none", ArrowForm::kNull, 0, -1},
                                {"null", ArrowForm::kNull, 0, 0},
                                {"int", ArrowForm::kWhole, 0, 2},
                                {"float", ArrowForm::kFloat, 0, 2},
                                {"binary", ArrowForm::kLeftOut, 0, 3},
                                {"utf8", ArrowForm::kText, 4, 3},
                                {"bool", ArrowForm::kBool, 0, 2},
                                {"decimal", ArrowForm::kLeftOut, 0, 2},
                                {"date", ArrowForm::kLeftOut, 0, 2},
                                {"time", ArrowForm::kLeftOut, 0, 2},
                                {"timestamp", ArrowForm::kLeftOut, 0, 2},
                                {"interval", ArrowForm::kLeftOut, 0, 2},
                                {"list", ArrowForm::kList, 4, 2},
                                {"struct", ArrowForm::kStruct, 0, 1},
                                {"union", ArrowForm::kNull, 0, -1},
                                {"fixed_size_binary", ArrowForm::kLeftOut, 0, 2},
                                {"fixed_size_list", ArrowForm::kFixedList, 0, 1},
                                {"map", ArrowForm::kMap, 4, 2},
                                {"duration", ArrowForm::kLeftOut, 0, 2},
                                {"large_binary", ArrowForm::kLeftOut, 0, 3},
                                {"large_utf8", ArrowForm::kText, 8, 3},
                                {"large_list", ArrowForm::kList, 8, 2},
                                {"run_end_encoded", ArrowForm::kNull, 0, -1},
                                {"binary_view", ArrowForm::kLeftOutView, 0, 2},
                                {"utf8_view", ArrowForm::kTextView, 0, 2},
                                {"list_view", ArrowForm::kNull, 0, -1},
                                {"large_list_view", ArrowForm::kNull, 0, -1}};

void take_whole(const FlatTable& type, ArrowField& field) {
  const int bits = type.number<int32_t>(0);
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
    fail_arrow(field.where, "whole numbers of " + std::to_string(bits) + " bits");
  field.bytes = bits / 8;
  field.is_signed = type.number<uint8_t>(1) != 0;
}

class ArrowSchemaReader {
 public:
  ArrowSchemaReader(size_t message_bytes, const std::string& path)
      : path_(path), most_fields_(message_bytes / 8) {}

  ArrowSchema read(const FlatTable& schema) {
    if (schema.number<int16_t>(0) != 0)
      fail_input(path_, "has its numbers in big-endian order, which is not read");
    found_.root.form = ArrowForm::kStruct;
    found_.root.where = path_;
    add_children(found_.root, schema.tables(1), "", 0);
    bool any = false;
    for (const ArrowField& field : found_.root.children) any |= field.form < ArrowForm::kLeftOut;
    if (!any) fail_input(path_, "has no column of text or numbers");
    return std::move(found_);
  }

 private:
  void add_children(ArrowField& parent, const std::vector<FlatTable>& fields, const std::string& name,
                    int depth) {
    constexpr int kDeepest = 32;
    if (depth > kDeepest) fail_arrow(path_, "its schema is nested too deep");
    std::unordered_set<std::string> names;
    for (const FlatTable& field : fields) {
      parent.children.push_back(read_field(field, name, depth));
      const std::string& child = parent.children.back().name;
      if (!names.insert(child).second)
        fail_input(path_, "two columns are called '" + (name.empty() ? "" : name + ".") + child + "'");
    }
  }

  // A field can stand in several places of a flatbuffer: what is small may describe what is huge.
  ArrowField read_field(const FlatTable& table, const std::string& parent, int depth) {
    if (++fields_ > most_fields_) fail_arrow(path_, "it has more columns than its metadata could name");
    ArrowField field;
    field.name = std::string(table.text(kName));
    const std::string name = parent.empty() ? field.name : parent + "." + field.name;
    field.where = path_ + ": column '" + name + "'";
    const auto number = table.number<uint8_t>(kTypeNumber);
    if (number >= std::size(kTypes))
      fail_input(field.where, "has a type that is not known yet, " + std::to_string(number));
    const ArrowType& type = kTypes[number];
    if (type.buffers < 0)
      fail_input(field.where, std::string("has the type ") + type.name + ", which is not read",
                 "leave the column out, or write the dataset as JSONL");
    field.form = type.form;
    field.bytes = type.bytes;
    field.buffers = type.buffers;
    take_details(table, field);
    add_children(field, table.tables(kChildren), name, depth + 1);
    check_children(field);
    if (field.form >= ArrowForm::kLeftOut)
      found_.notes.push_back(field.where + " is left out: it is neither text nor a plain number");
    if (table.has(kDictionaryOf)) return encoded(table.table(kDictionaryOf), std::move(field));
    return field;
  }

  void take_details(const FlatTable& table, ArrowField& field) {
    if (field.form == ArrowForm::kWhole) take_whole(table.table(kType), field);
    if (field.form == ArrowForm::kFixedList) field.bytes = table.table(kType).number<int32_t>(0);
    if (field.form == ArrowForm::kFixedList && field.bytes < 1)
      fail_input(field.where, "is a list of " + std::to_string(field.bytes) + " elements, which is not read");
    if (field.form == ArrowForm::kFloat) {
      constexpr int kBytes[] = {2, 4, 8};
      const auto precision = table.table(kType).number<int16_t>(0);
      if (precision < 0 || precision > 2) fail_arrow(field.where, "its numbers have no such precision");
      field.bytes = kBytes[precision];
      if (field.bytes == 2) field.form = ArrowForm::kLeftOut;
    }
    for (const FlatTable& pair : table.tables(kFieldMetadata))
      if (pair.text(0) == "ARROW:extension:name" && pair.text(1) == "arrow.json") field.is_json = true;
  }

  void check_children(const ArrowField& field) const {
    const bool list = field.form == ArrowForm::kList || field.form == ArrowForm::kFixedList,
               map = field.form == ArrowForm::kMap;
    const size_t count = field.children.size();
    if (field.form == ArrowForm::kStruct) return;
    if (count != (list || map ? 1 : 0)) fail_arrow(field.where, "its type has not as many parts as it must");
    if (map && (field.children[0].form != ArrowForm::kStruct || field.children[0].children.size() != 2))
      fail_arrow(field.where, "is a map without keys and values");
  }

  static ArrowField encoded(const FlatTable& encoding, ArrowField values) {
    ArrowField field;
    field.name = values.name;
    field.where = values.where;
    field.form = values.form < ArrowForm::kLeftOut ? ArrowForm::kDictionary : ArrowForm::kLeftOut;
    field.buffers = 2;
    field.bytes = 4;
    field.dictionary = encoding.number<int64_t>(0);
    if (encoding.has(1)) take_whole(encoding.table(1), field);
    if (!values.children.empty())
      fail_input(field.where, "is a dictionary of lists or objects, which is not read",
                 "write the dataset as JSONL");
    field.children.push_back(std::move(values));
    return field;
  }

  const std::string& path_;
  size_t fields_ = 0, most_fields_;
  ArrowSchema found_;
};

}  // namespace

ArrowSchema read_arrow_schema(const FlatTable& schema, size_t message_bytes, const std::string& path) {
  return ArrowSchemaReader(message_bytes, path).read(schema);
}

const ArrowField* dictionary_values(const ArrowField& field, int64_t dictionary) {
  const bool encoded =
      field.buffers == 2 && field.children.size() == 1 && field.form >= ArrowForm::kDictionary;
  if (encoded) return field.dictionary == dictionary ? &field.children[0] : nullptr;
  for (const ArrowField& child : field.children)
    if (const ArrowField* found = dictionary_values(child, dictionary)) return found;
  return nullptr;
}

}  // namespace sdft
