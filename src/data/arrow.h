// Arrow's streams and files as records: what Hugging Face's datasets keep on disk, Feather and polars'
// write_ipc. Source: Arrow's columnar format, "Serialization and IPC".
//
// The same records as from Parquet (parquet.h): what JSON has no form for is left out with a note. A text
// that Arrow says is JSON (datasets' Json) is the value that it holds. Read: bodies that are plain or
// compressed by zstd or LZ4, dictionaries, view types of texts. Refused by name: unions, run-end encoding,
// list views, parts of dictionaries, big-endian files.
#pragma once

#include <string>
#include <string_view>

#include "data/record_text.h"

namespace sdft {

// file: all of it, which must outlive the records. A record's place is "data-00000-of-00001.arrow: record 12"
// (from 0). Throws Error(kInput) naming `path` and the column. Records are made when they are read.
RecordTexts arrow_records(std::string_view file, const std::string& path);

}  // namespace sdft
