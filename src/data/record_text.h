// The texts of a dataset file, record by record: lines or elements of JSON, rows of a table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sdft {

struct RecordText {
  std::string where;           // "train.jsonl:12", "train.json: record 12" (from 0)
  std::function<Json()> read;  // throws BadRecord
};

struct RecordTexts {
  std::vector<RecordText> records;
  std::vector<std::string> notes;  // what was left out of all of them
};

// An object of names and values in their order; of equal names the last value counts.
Json object_of(std::vector<std::pair<std::string, Json>>&& pairs);

// The records of a file's text, which must outlive them. Throws Error(kInput) where the file as a whole
// cannot be read.
RecordTexts json_records(std::string_view text, const std::string& path, bool lines_expected);
RecordTexts table_records(std::string_view text, const std::string& path, char delimiter);

}  // namespace sdft
