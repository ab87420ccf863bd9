// The lower half of Parquet: Thrift's compact protocol, pages and their encodings. One column of one row
// group at a time becomes levels (Dremel's, as the format's own documents define them) and values. parquet.h
// has the upper half. Read: data pages of version 1 and 2, dictionary pages; all encodings of values but
// BIT_PACKED; codecs none, Snappy, gzip, Brotli, zstd, LZ4_RAW. All else is refused by name. Every failure is
// an Error(kInput) naming `where`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/parquet_bytes.h"

namespace sdft {

// Records of a file, and values of a column chunk: a few bytes may claim that billions are missing.
inline constexpr int64_t kMostValues = int64_t{1} << 26;

// Any value of Thrift's compact protocol. Views into the bytes that were read.
struct ThriftValue {
  int id = 0;                      // of the field that it is
  int64_t number = 0;              // whole numbers; 1 or 0 for bool
  std::string_view bytes;          // of a string
  std::vector<ThriftValue> parts;  // of a struct its fields, of a list its elements

  const ThriftValue* find(int field) const;  // null: not there
  const ThriftValue& at(int field) const;    // an empty value where it is not there
  int64_t number_at(int field, int64_t fallback = 0) const;
};
// The struct at the beginning of `bytes`, from which it is removed.
ThriftValue read_thrift(std::string_view* bytes, const std::string& where);

// What a column's values are, beyond the numbers of the format's types.
enum class ParquetType { kBool, kInt32, kInt64, kUint32, kUint64, kFloat, kDouble, kText };

struct ParquetLeaf {
  std::string where;  // "train.parquet: column 'messages.list.element.role'"
  ParquetType type = ParquetType::kText;
  int definition = 0, repetition = 0;  // the highest levels
};

// One entry of `definitions` and `repetitions` for each value that is there or missing; `values` has those
// that are there (whose definition is the highest). Numbers that are not finite are null.
struct ParquetColumn {
  std::vector<uint8_t> definitions, repetitions;
  std::vector<Json> values;
};
// file: all of it; metadata: the chunk's ColumnMetaData.
ParquetColumn read_parquet_column(std::string_view file, const ThriftValue& metadata,
                                  const ParquetLeaf& leaf);

}  // namespace sdft
