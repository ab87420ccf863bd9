// The one place where files of records are read, whatever their form: datasets and the documents of task
// files.
//
// The form is told by the ending: .json .jsonl .ndjson .csv .tsv, each also compressed by gzip or zstd (told
// by the first bytes; the name may then end in .gz, .gzip, .zst or .zstd), and .parquet.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "data/record_text.h"

namespace sdft {

struct RecordFile {
  std::string name;    // "train" of dir/train.jsonl.gz
  std::string sha256;  // of the file as it lies there
  RecordTexts texts;
  std::shared_ptr<const std::string> text;  // which the records are of
};

// Throws Error(kInput): no such file, an unknown ending, one that is damaged, or not UTF-8.
RecordFile read_record_file(const std::filesystem::path& path);

}  // namespace sdft
