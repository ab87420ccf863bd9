// A record batch of Arrow's stream: its columns as views into a message's body. Source: Arrow's columnar
// format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/arrow_schema.h"

namespace sdft {

enum ArrowCodec { kArrowPlain = -1, kArrowLz4, kArrowZstd };  // Arrow's numbers

struct ArrowArray {
  const ArrowField* field = nullptr;
  int64_t length = 0;
  std::string_view validity;             // a bit a value; empty: all are there
  std::string_view values;               // numbers, bits, offsets, views, places in the dictionary
  std::string_view text;                 // which offsets cut
  std::vector<std::string_view> pieces;  // which views name
  std::vector<ArrowArray> children;
  std::shared_ptr<const ArrowArray> dictionary;
};

// Of a whole file, while it is read.
struct ArrowContext {
  std::map<int64_t, std::shared_ptr<const ArrowArray>> dictionaries;
  int codec = kArrowPlain;  // holds where a batch does not name its own
  uint64_t unpacked_bytes = 0;
  uint64_t repeated_bytes = 0;  // of texts and names that values may share
};

struct ArrowBatch {
  std::vector<std::string> unpacked;  // buffers that were compressed
  std::vector<ArrowArray> columns;
};

// message: a RecordBatch table; fields: those of its `count` columns, which must outlive the batch as `body`
// must where it is not compressed. Lengths, offsets and places are checked here, so that a value takes no
// more time and memory than its bytes; whether texts are UTF-8 is checked when they are read.
std::shared_ptr<const ArrowBatch> read_arrow_batch(const FlatTable& message, std::string_view body,
                                                   const ArrowField* fields, size_t count,
                                                   ArrowContext& context, const std::string& path);

// Record number `at`, which must be there. Numbers that are not finite are null.
Json arrow_record(const ArrowBatch& batch, int64_t at);

}  // namespace sdft
