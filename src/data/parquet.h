// Parquet files as records: https://parquet.apache.org/docs/file-format, nested fields by Dremel's levels.
// The same records as from JSONL: lists are arrays, structs objects, maps of text objects by their keys; a
// missing value, and a number that is not finite, is null.
//
// What JSON has no form for (bytes, decimals, dates and times, 96-bit and fixed-size values) is left out,
// with a note naming the column. parquet_pages.h says which encodings and codecs are read. Encrypted files
// are refused.
#pragma once

#include <string>
#include <string_view>

#include "data/record_text.h"

namespace sdft {

// file: all of it, which need not outlive the call. A record's place is "train.parquet: record 12" (from 0).
// Throws Error(kInput) naming `path` and the column. Takes memory for all records at once.
RecordTexts parquet_records(std::string_view file, const std::string& path);

}  // namespace sdft
