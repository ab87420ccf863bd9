// The one place where files of records are read, whatever their form: datasets and the documents of task
// files.
//
// The form is told by the ending: .json .jsonl .ndjson .csv .tsv, each also compressed by gzip or zstd (told
// by the first bytes; the name may then end in .gz, .gzip, .zst or .zstd), .parquet, .arrow and .feather. A
// folder can stand for several files (record_folder.h), and "-" is standard input.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/record_text.h"

namespace sdft {

// As a path: standard input, which can be read once, its form told by its first bytes.
inline constexpr const char* kStandardInput = "-";

struct RecordFile {
  std::string name;    // "train" of dir/train.jsonl.gz
  std::string sha256;  // of the file as it lies there; of a folder's several files that of these
  RecordTexts texts;
  std::vector<std::shared_ptr<const std::string>> contents;  // which the records are of
};

// Throws Error(kInput): no such file, an unknown ending, one that is damaged, or not UTF-8.
RecordFile read_record_file(const std::filesystem::path& path);

// ".jsonl" of train.jsonl.gz; "" where it is no kind of records.
std::string record_ending(const std::filesystem::path& path);
inline bool has_record_ending(const std::filesystem::path& path) { return !record_ending(path).empty(); }
std::string record_endings();  // ".json, .jsonl, ...": for messages

}  // namespace sdft
