// The records of a task's dataset.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "task/task.h"

namespace sdft {

struct Document {
  std::string where;  // "test.jsonl:12"
  Json fields;
};

// A split's records, process_docs done. Looked for are, in turn: the file that data_files names; dataset_path
// itself where it is a file; in data_dir, in the folder dataset_path (whole, or its last part) and in it the
// folder dataset_name: SPLIT.jsonl, .json, .csv, .tsv, and dataset_name-SPLIT or SPLIT beside it. Throws
// Error(kInput) naming them where none is there.
std::vector<Document> read_documents(const Task& task, const std::string& split,
                                     const std::filesystem::path& data_dir);

}  // namespace sdft
