#include "data/record_file.h"

#include "base/error.h"
#include "base/file.h"
#include "data/compression.h"
#include "data/parquet.h"

namespace sdft {
namespace fs = std::filesystem;
namespace {

enum class RecordForm { kJson, kLines, kCommas, kTabs, kParquet };
struct RecordEnding {
  const char* ending;
  RecordForm form;
};
constexpr RecordEnding kEndings[] = {{".json", RecordForm::kJson},    {".jsonl", RecordForm::kLines},
                                     {".ndjson", RecordForm::kLines}, {".csv", RecordForm::kCommas},
                                     {".tsv", RecordForm::kTabs},     {".parquet", RecordForm::kParquet}};

RecordForm form_of(const std::string& ending, const fs::path& path) {
  std::string known;
  for (const RecordEnding& row : kEndings) {
    if (ending == row.ending) return row.form;
    known += (known.empty() ? "" : ", ") + std::string(row.ending);
  }
  fail_input(path.string(), "unknown kind of dataset '" + ending + "'",
             "known are " + known + "; with .gz or .zst, too");
}

RecordTexts records_in(std::string_view text, const std::string& path, RecordForm form) {
  if (form == RecordForm::kParquet) return parquet_records(text, path);
  const std::string_view start = text.substr(0, 2);
  if (start == "\xff\xfe" || start == "\xfe\xff")
    fail_input(path, "is UTF-16, expected UTF-8", "convert the file: iconv -f utf-16 -t utf-8");
  if (form == RecordForm::kCommas || form == RecordForm::kTabs)
    return table_records(text, path, form == RecordForm::kCommas ? ',' : '\t');
  return json_records(text, path, form == RecordForm::kLines);
}

}  // namespace

RecordFile read_record_file(const fs::path& path) {
  std::string bytes = read_text(path, kLargestDataset);
  fs::path plain = path.filename();  // without the compression's ending
  for (const char* packed : {".gz", ".gzip", ".zst", ".zstd"})
    if (plain.extension() == packed) {
      plain = plain.stem();
      break;
    }
  const RecordForm form = form_of(plain.extension().string(), path);
  RecordFile file{plain.stem().string(), sha256(bytes), {}, nullptr};
  file.text =
      std::make_shared<const std::string>(unpacked_file(std::move(bytes), path.string(), kLargestDataset));
  file.texts = records_in(*file.text, path.string(), form);
  return file;
}

}  // namespace sdft
