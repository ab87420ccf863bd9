// Arrow's schema of a stream as a tree of fields. Source: Arrow's columnar format and its Schema.fbs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/flatbuffer.h"

namespace sdft {

enum class ArrowForm {
  kNull,
  kWhole,
  kFloat,
  kBool,
  kText,
  kTextView,
  kList,
  kFixedList,
  kStruct,
  kMap,
  kDictionary,  // places in values that came before; children[0] is what these are
  kLeftOut,     // has no form in JSON
  kLeftOutView
};

struct ArrowField {
  std::string name, where;  // "train.arrow: column 'messages.item.role'"
  ArrowForm form = ArrowForm::kNull;
  int bytes = 0;  // of a number, of an offset; of a fixed list its elements
  bool is_signed = true;
  bool is_json = false;    // a text that holds JSON
  int buffers = 0;         // that a batch has of the field itself
  int64_t dictionary = 0;  // which one
  std::vector<ArrowField> children;
};

struct ArrowSchema {
  ArrowField root;                 // a struct of the columns
  std::vector<std::string> notes;  // columns that are left out
};

// message: the Schema table of a stream's first message. Error(kInput) for types that are not read, by name.
ArrowSchema read_arrow_schema(const FlatTable& schema, size_t message_bytes, const std::string& path);

// The field of a dictionary's values; null: no field has this dictionary.
const ArrowField* dictionary_values(const ArrowField& field, int64_t dictionary);

}  // namespace sdft
