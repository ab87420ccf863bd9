// Task datasets: JSON arrays, JSONL, CSV; columns by name or from a LLaMA-Factory dataset_info.json.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/example.h"

namespace sdft {

// Which column holds what. Defaults are tried in turn where a name is empty: instruction|question|prompt|goal,
// output|answer|response|target; messages / conversations (role/content and from/value spelling) are understood too.
struct Columns {
  std::string id, prompt, query, response, system, history, messages;
};

struct DatasetOptions {
  Columns columns;
  bool response_required = true;  // false for prompts to generate from
  size_t limit = 0;               // first so many examples; 0: all
  // What to do with a bad record (broken line, missing field, empty answer, duplicate id): by default all problems of
  // the file (the first 20) are reported in one Error(kInput); true: skipped, and listed in Dataset::skipped.
  bool skip_bad = false;
};

struct SkippedRecord {
  size_t position;     // record's place in the file, from 0
  std::string where;   // "train.jsonl:12"
  std::string reason;  // "empty answer", "duplicate id 'x'", ...
};

struct Dataset {
  std::string name;
  std::filesystem::path path;
  std::string sha256;  // of the file
  std::vector<Example> examples;
  std::vector<SkippedRecord> skipped;
};

// Throws Error(kInput): no such file, unknown kind, every bad record with its place.
Dataset read_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});
// The dataset `name` of dir/dataset_info.json: its file and its columns.
Dataset read_dataset_by_name(const std::filesystem::path& dir, const std::string& name,
                             const DatasetOptions& options = {});

}  // namespace sdft
