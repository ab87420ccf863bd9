// Task datasets: JSON arrays, JSONL, CSV, TSV; columns by name or from a LLaMA-Factory dataset_info.json.
//
// A record is either flat (prompt, query, response, system, history: a list of [query, response] pairs) or a
// conversation (a list of messages, {"role", "content"} or {"from", "value"}; the last assistant message is
// the response, the exchanges before it are the history). In CSV the cells of history and messages hold JSON.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

// How a conversation spells its messages, where that is not role/content or from/value with the usual role
// names.
struct MessageTags {
  std::string role, content;            // keys of a message
  std::string user, assistant, system;  // values of the role
  std::string observation, function;    // a tool's result (user side), a tool call (assistant side)
};

// Which column holds what. A named column must be there in every record. Where a name is empty, these are
// tried in turn: messages|conversations|conversation; instruction|question|prompt|goal; input|context;
// output|answer|response|target|completion; id; system; history.
struct Columns {
  std::string id, prompt, query, response, system, history, messages;
  MessageTags tags;
};

struct DatasetOptions {
  Columns columns;
  bool response_required = true;  // false for prompts to generate from
  size_t limit = 0;               // first so many examples; 0: all
  // What to do with a bad record (broken line, missing field, wrong type, empty answer, duplicate id): by
  // default all problems of the file (the first 20) are reported in one Error(kInput); true: skipped, and
  // listed in Dataset::skipped.
  bool skip_bad = false;
};

struct SkippedRecord {
  size_t position;     // record's place in the file, from 0
  std::string where;   // "train.jsonl:12", "train.json: record 12" (from 0)
  std::string reason;  // "empty answer", "duplicate id 'x'", ...
};

struct Dataset {
  std::string name;
  std::filesystem::path path;
  std::string sha256;  // of the file
  std::vector<Example> examples;
  std::vector<SkippedRecord> skipped;
};

// The kind is told by the ending (.json .jsonl .ndjson .csv .tsv); a .json file may also hold one object a
// line. Throws Error(kInput): no such file, unknown kind, no examples, every bad record with its place.
Dataset read_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});
// The dataset `name` of dir/dataset_info.json: its file, columns, tags and num_samples; names in
// options.columns win.
Dataset read_dataset_by_name(const std::filesystem::path& dir, const std::string& name,
                             const DatasetOptions& options = {});

}  // namespace sdft
