// One record of a dataset file into an Example: which field holds what.
#pragma once

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace sdft {

// Why a record cannot be used: "field 'output' is missing (the record has: instruction, input)".
struct BadRecord : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[noreturn]] void bad_field(const std::string& name, const std::string& what);

// One Error(kInput) with the first 20 of `bad`, of `count` records; names skip_bad where that would help.
[[noreturn]] void fail_bad_records(const std::string& path, const std::vector<SkippedRecord>& bad,
                                   size_t count, const std::string& advice);

struct RecordField {
  std::string name;
  const Json* value = nullptr;  // null: the record has no such field
};
// The field called `named`, or where that is empty the first of `defaults` that is there.
RecordField find_field(const Json& record, const std::string& named,
                       const std::vector<std::string>& defaults);
std::string text_of(const RecordField& field);
bool is_blank(const std::string& text);
// "the record has: instruction, input"
std::string fields_of(const Json& record);
// The JSON of a text inside a record, of a CSV cell for example.
Json json_in(const RecordField& field);

// `id` is left empty where the record has none. The record becomes the example's `fields`. Keys of messages
// that nothing reads are added to `unread`. Throws BadRecord.
Example example_from_record(Json record, const DatasetOptions& options, std::set<std::string>* unread);

// conversation.cpp: the example's messages, or its texts where those say it all. Also where the last
// assistant's message is missing (`response_required` false: then it is still to be written). Of the first
// `context` messages none is learned that does not say so.
void read_conversation(const Json& messages, const std::string& field, const DatasetOptions& options,
                       Example* example, std::set<std::string>* unread, size_t context = 0);
// A `tools` column: an array of schemas or its text; null where it is empty.
Json read_tools(const RecordField& field);

}  // namespace sdft
