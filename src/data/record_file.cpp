#include "data/record_file.h"

#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "base/standard_input.h"
#include "data/arrow.h"
#include "data/compression.h"
#include "data/parquet.h"
#include "data/record_folder.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

enum class RecordForm { kJson, kLines, kCommas, kTabs, kParquet, kArrow };
struct RecordEnding {
  const char* ending;
  RecordForm form;
};
constexpr RecordEnding kEndings[] = {{".json", RecordForm::kJson},    {".jsonl", RecordForm::kLines},
                                     {".ndjson", RecordForm::kLines}, {".csv", RecordForm::kCommas},
                                     {".tsv", RecordForm::kTabs},     {".parquet", RecordForm::kParquet},
                                     {".arrow", RecordForm::kArrow},  {".feather", RecordForm::kArrow}};

// Without the compression's ending.
fs::path plain_name(const fs::path& path) {
  fs::path name = path.filename();
  for (const char* packed : {".gz", ".gzip", ".zst", ".zstd"})
    if (name.extension() == packed) return name.stem();
  return name;
}

const RecordEnding* find_ending(const fs::path& path) {
  const std::string ending = plain_name(path).extension().string();
  for (const RecordEnding& row : kEndings)
    if (ending == row.ending) return &row;
  return nullptr;
}

RecordTexts records_in(std::string_view text, const std::string& path, RecordForm form) {
  if (form == RecordForm::kParquet) return parquet_records(text, path);
  if (form == RecordForm::kArrow) return arrow_records(text, path);
  const std::string_view start = text.substr(0, 2);
  if (start == "\xff\xfe" || start == "\xfe\xff")
    fail_input(path, "is UTF-16, expected UTF-8", "convert the file: iconv -f utf-16 -t utf-8");
  if (form == RecordForm::kCommas || form == RecordForm::kTabs)
    return table_records(text, path, form == RecordForm::kCommas ? ',' : '\t');
  return json_records(text, path, form == RecordForm::kLines);
}

// Of what has no name: by its first bytes. Lines of JSON may be an array, too.
RecordForm form_of(std::string_view text) {
  if (text.substr(0, 4) == "PAR1") return RecordForm::kParquet;
  if (text.substr(0, 6) == "ARROW1" || text.substr(0, 4) == "\xff\xff\xff\xff") return RecordForm::kArrow;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const bool json = begin != std::string_view::npos && (text[begin] == '{' || text[begin] == '[');
  return json ? RecordForm::kLines : RecordForm::kCommas;
}

RecordFile read_unnamed() {
  const std::string where = "standard input";
  std::string bytes = read_standard_input(kLargestDataset);
  RecordFile file{"stdin", sha256(bytes), {}, {}};
  file.contents.push_back(
      std::make_shared<const std::string>(unpacked_file(std::move(bytes), where, kLargestDataset)));
  file.texts = records_in(*file.contents[0], where, form_of(*file.contents[0]));
  return file;
}

RecordFile read_one(const fs::path& path) {
  std::string bytes = read_text(path, kLargestDataset);
  const RecordEnding* ending = find_ending(path);
  if (!ending)
    fail_input(path.string(), "unknown kind of dataset '" + plain_name(path).extension().string() + "'",
               "known are " + record_endings() + "; with .gz or .zst, too");
  RecordFile file{plain_name(path).stem().string(), sha256(bytes), {}, {}};
  file.contents.push_back(
      std::make_shared<const std::string>(unpacked_file(std::move(bytes), path.string(), kLargestDataset)));
  file.texts = records_in(*file.contents[0], path.string(), ending->form);
  return file;
}

// Ids go on over the files, so that they are one dataset whatever its shards are.
RecordFile read_folder(const fs::path& path) {
  RecordFolder folder = find_record_folder(path);
  RecordFile whole{folder.name, "", {{}, std::move(folder.notes)}, {}};
  std::string sums;
  for (const fs::path& part : folder.files) {
    RecordFile file = read_one(part);
    auto& records = file.texts.records;
    std::move(records.begin(), records.end(), std::back_inserter(whole.texts.records));
    for (const std::string& note : file.texts.notes) whole.texts.notes.push_back(note);
    whole.contents.push_back(file.contents[0]);
    whole.sha256 = file.sha256;
    sums += file.sha256 + "\n";
  }
  if (folder.files.size() > 1) whole.sha256 = sha256(sums);
  return whole;
}

}  // namespace

std::string record_ending(const fs::path& path) {
  const RecordEnding* row = find_ending(path);
  return row ? row->ending : "";
}

std::string record_endings() {
  std::string known;
  for (const RecordEnding& row : kEndings) known += (known.empty() ? "" : ", ") + std::string(row.ending);
  return known;
}

RecordFile read_record_file(const fs::path& path) {
  if (path == kStandardInput) return read_unnamed();
  return may_be_record_folder(path) ? read_folder(path) : read_one(path);
}

}  // namespace sdft
