#include "data/parquet_pages.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/utf8.h"
#include "data/compression.h"
#include "data/parquet_bytes.h"

namespace sdft {
namespace {

enum ThriftType {
  kStop,
  kTrue,
  kFalse,
  kByte,
  kI16,
  kI32,
  kI64,
  kDoubleValue,
  kBinary,
  kList,
  kSet,
  kMap,
  kStruct
};

ThriftValue thrift_struct(ByteReader& reader, int depth);

ThriftValue thrift_value(ByteReader& reader, int type, int depth) {
  ThriftValue value;
  switch (type) {
    case kTrue:
      value.number = 1;
      break;
    case kFalse:
      break;
    case kByte: {
      const int64_t byte = reader.byte();
      value.number = byte < 128 ? byte : byte - 256;
      break;
    }
    case kI16:
    case kI32:
    case kI64:
      value.number = reader.zigzag();
      break;
    case kDoubleValue:
      reader.take(8);
      break;
    case kBinary:
      value.bytes = reader.take(reader.varint());
      break;
    case kList:
    case kSet: {
      const int head = reader.byte(), element = head & 15;
      const uint64_t count = head >> 4 == 15 ? reader.varint() : static_cast<uint64_t>(head >> 4);
      if (count > reader.rest().size()) fail_parquet(reader.where(), "a list is longer than its bytes");
      for (uint64_t i = 0; i < count; ++i)
        if (element == kTrue || element == kFalse)
          value.parts.emplace_back().number = reader.byte() == 1;
        else
          value.parts.push_back(thrift_value(reader, element, depth + 1));
      break;
    }
    case kStruct:
      return thrift_struct(reader, depth + 1);
    default:
      fail_parquet(reader.where(), "its metadata has a value of unknown type " + std::to_string(type));
  }
  return value;
}

ThriftValue thrift_struct(ByteReader& reader, int depth) {
  constexpr int kDeepest = 32;
  if (depth > kDeepest) fail_parquet(reader.where(), "its metadata is nested too deep");
  ThriftValue whole;
  int id = 0;
  for (int head = reader.byte(); head != kStop; head = reader.byte()) {
    id = head >> 4 ? id + (head >> 4) : static_cast<int16_t>(reader.zigzag());
    ThriftValue field = thrift_value(reader, head & 15, depth);
    field.id = id;
    whole.parts.push_back(std::move(field));
  }
  return whole;
}

// The format's names, by its numbers.
constexpr const char* kCodecs[] = {"none", "Snappy", "gzip", "LZO", "Brotli", "LZ4", "zstd", "LZ4_RAW"};
constexpr const char* kEncodings[] = {
    "PLAIN",          "(unknown)",           "PLAIN_DICTIONARY",        "RLE",
    "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
    "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
enum Codec { kNone, kSnappy, kGzip, kBrotli = 4, kZstd = 6, kLz4Raw };
enum Encoding {
  kPlain,
  kPlainDictionary = 2,
  kRle,
  kDeltaBinary = 5,
  kDeltaLength,
  kDeltaText,
  kRleDictionary,
  kSplit
};
enum PageType { kDataPage, kIndexPage, kDictionaryPage, kDataPageV2 };

template <size_t N>
std::string name_in(const char* const (&names)[N], int64_t number) {
  return number >= 0 && number < static_cast<int64_t>(N) ? names[number] : "number " + std::to_string(number);
}

[[noreturn]] void fail_encoding(const std::string& where, int64_t encoding) {
  fail_input(where, "has the encoding " + name_in(kEncodings, encoding) + ", which is not read",
             "write the file again with another encoding, or as JSONL");
}

std::string unpack_page(std::string_view packed, int64_t codec, const std::string& where, uint64_t bytes) {
  std::string page;
  switch (codec) {
    case kSnappy:
      page = unpack_snappy(packed, where, bytes);
      break;
    case kGzip:
      page = unpack_gzip(packed, where, bytes);
      break;
    case kZstd:
      page = unpack_zstd(packed, where, bytes);
      break;
    case kBrotli:
      page = unpack_brotli(packed, where, bytes);
      break;
    case kLz4Raw:
      page = unpack_lz4_block(packed, where, bytes);
      break;
    default:
      fail_input(where, "is compressed by " + name_in(kCodecs, codec) + ", which is not read",
                 "write the file again with Snappy, gzip, zstd or none, or as JSONL");
  }
  if (page.size() != bytes) fail_parquet(where, "a page unpacks to another size than it says");
  return page;
}

Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(); }

// The values of one column chunk, page by page.
class ColumnReader {
 public:
  ColumnReader(const ThriftValue& metadata, const ParquetLeaf& leaf)
      : leaf_(leaf),
        codec_(metadata.number_at(4)),
        expected_(metadata.number_at(5)),
        most_bytes_(metadata.number_at(6)) {
    if (expected_ < 0 || most_bytes_ < 0) fail("it has a count below 0");
    if (expected_ > kMostValues)
      fail_input(leaf.where, "has more than " + std::to_string(kMostValues) + " values in a row group",
                 "write the file with smaller row groups");
  }

  bool done() const { return entries() >= expected_; }

  // A page from the front of the chunk's bytes.
  void page(std::string_view* chunk) {
    stop_if_interrupted();
    const ThriftValue head = read_thrift(chunk, leaf_.where);
    const int64_t unpacked = head.number_at(2, -1), packed = head.number_at(3, -1);
    if (unpacked < 0 || unpacked > most_bytes_) fail("a page's size is not possible");
    const std::string_view body = ByteReader(*chunk, leaf_.where).take(static_cast<uint64_t>(packed));
    chunk->remove_prefix(body.size());
    check_sum(head, body);
    const auto bytes = static_cast<uint64_t>(unpacked);
    switch (head.number_at(1, -1)) {
      case kDictionaryPage:
        dictionary_page(head.at(7), body, bytes);
        break;
      case kDataPage:
        data_page(head.at(5), body, bytes);
        break;
      case kDataPageV2:
        data_page_v2(head.at(8), body, bytes);
        break;
      case kIndexPage:
        break;
      default:
        fail("a page is of an unknown kind");
    }
  }

  ParquetColumn take() { return std::move(column_); }

 private:
  [[noreturn]] void fail(const std::string& what) const { fail_parquet(leaf_.where, what); }
  int64_t entries() const { return static_cast<int64_t>(column_.definitions.size()); }

  void check_sum(const ThriftValue& head, std::string_view body) const {
    const ThriftValue* said = head.find(4);
    if (!said) return;
    const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
    if (static_cast<uint32_t>(sum) != static_cast<uint32_t>(said->number)) fail("a page's checksum is wrong");
  }

  // The body as it was before compression; `kept` holds it where it had to be unpacked.
  std::string_view plain(std::string_view body, uint64_t bytes, std::string* kept) const {
    if (codec_ == kNone && body.size() != bytes) fail("a page has another size than it says");
    if (codec_ == kNone) return body;
    *kept = unpack_page(body, codec_, leaf_.where, bytes);
    return *kept;
  }

  void dictionary_page(const ThriftValue& head, std::string_view body, uint64_t bytes) {
    const int64_t encoding = head.number_at(2, -1);
    if (encoding != kPlain && encoding != kPlainDictionary) fail_encoding(leaf_.where, encoding);
    std::string kept;
    ByteReader reader(plain(body, bytes, &kept), leaf_.where);
    dictionary_.clear();
    for (int64_t i = head.number_at(1); i > 0; --i) dictionary_.push_back(plain_value(reader));
  }

  void data_page(const ThriftValue& head, std::string_view body, uint64_t bytes) {
    std::string kept;
    ByteReader reader(plain(body, bytes, &kept), leaf_.where);
    const int64_t count = count_of(head);
    auto add = [&](std::vector<uint8_t>& to, int highest, int64_t encoding) {
      if (highest > 0 && encoding != kRle) fail_encoding(leaf_.where, encoding);
      const std::string_view runs = highest > 0 ? reader.take(reader.number<uint32_t>()) : "";
      return add_levels(to, runs, highest, count);
    };
    add(column_.repetitions, leaf_.repetition, head.number_at(4, -1));
    add_values(reader, head.number_at(2, -1),
               add(column_.definitions, leaf_.definition, head.number_at(3, -1)));
  }

  // Levels are never compressed here, and come first.
  void data_page_v2(const ThriftValue& head, std::string_view body, uint64_t bytes) {
    ByteReader reader(body, leaf_.where);
    const int64_t count = count_of(head);
    const std::string_view repetitions = reader.take(static_cast<uint64_t>(head.number_at(6))),
                           definitions = reader.take(static_cast<uint64_t>(head.number_at(5)));
    const uint64_t levels = repetitions.size() + definitions.size();
    if (levels > bytes) fail("a page's levels are longer than the page");
    add_levels(column_.repetitions, repetitions, leaf_.repetition, count);
    const int64_t there = add_levels(column_.definitions, definitions, leaf_.definition, count);
    const bool packed = head.number_at(7, 1) != 0 && !reader.rest().empty();
    std::string kept;
    const std::string_view values = packed ? plain(reader.rest(), bytes - levels, &kept) : reader.rest();
    add_values(ByteReader(values, leaf_.where), head.number_at(4, -1), there);
  }

  int64_t count_of(const ThriftValue& head) const {
    const int64_t count = head.number_at(1, -1);
    if (count < 0 || count > expected_ - entries()) fail("a page has more values than its column");
    return count;
  }

  // How many of them are the highest.
  int64_t add_levels(std::vector<uint8_t>& to, std::string_view runs, int highest, int64_t count) const {
    int width = 0;
    while (highest >> width) ++width;
    RunReader reader(ByteReader(runs, leaf_.where), width);
    int64_t full = 0;
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t level = highest > 0 ? reader.next() : 0;
      if (level > static_cast<uint32_t>(highest)) fail("a level is too high");
      full += level == static_cast<uint32_t>(highest);
      to.push_back(static_cast<uint8_t>(level));
    }
    return full;
  }

  void add_values(ByteReader reader, int64_t encoding, int64_t count) {
    if (count == 0) return;
    if (encoding == kPlainDictionary || encoding == kRleDictionary) {
      const int width = reader.byte();
      RunReader places(reader, width);
      for (; count > 0; --count) {
        const uint32_t place = places.next();
        if (place >= dictionary_.size()) fail("a value's place is beyond its dictionary");
        add_value(dictionary_[place]);
      }
    } else if (leaf_.type == ParquetType::kBool && (encoding == kPlain || encoding == kRle)) {
      if (encoding == kRle) reader = ByteReader(reader.take(reader.number<uint32_t>()), leaf_.where);
      RunReader runs(reader, 1);
      for (int64_t i = 0; i < count; ++i) {
        if (encoding == kRle) {
          add_value(runs.next() != 0);
          continue;
        }
        const auto at = static_cast<size_t>(i);
        if (at / 8 >= reader.rest().size()) fail("it ends too early");
        add_value((reader.rest()[at / 8] >> (at % 8) & 1) != 0);
      }
    } else if (encoding == kPlain) {
      for (; count > 0; --count) add_value(plain_value(reader));
    } else {
      add_unusual_values(reader, encoding, count);
    }
  }

  // Encodings of one kind of values each.
  void add_unusual_values(ByteReader reader, int64_t encoding, int64_t count) {
    const bool text = leaf_.type == ParquetType::kText, flag = leaf_.type == ParquetType::kBool,
               real = leaf_.type == ParquetType::kFloat || leaf_.type == ParquetType::kDouble,
               wide = leaf_.type == ParquetType::kInt64 || leaf_.type == ParquetType::kUint64 ||
                      leaf_.type == ParquetType::kDouble;
    if (encoding == kDeltaBinary && !text && !flag && !real) {
      for (const int64_t number : read_deltas(reader, count)) {
        ByteReader plain({reinterpret_cast<const char*>(&number), sizeof number}, leaf_.where);
        add_value(plain_value(plain));  // of 32 bits the lower half
      }
    } else if (encoding == kDeltaLength && text) {
      read_delta_lengths(reader, count, [&](std::string_view value) { add_value(text_value(value)); });
    } else if (encoding == kDeltaText && text) {
      read_delta_texts(reader, count, [&](std::string_view value) { add_value(text_value(value)); });
    } else if (encoding == kSplit && !text && !flag) {
      const std::string joined = join_split_bytes(reader, count, wide ? 8 : 4);
      ByteReader plain(joined, leaf_.where);
      for (; count > 0; --count) add_value(plain_value(plain));
    } else {
      fail_encoding(leaf_.where, encoding);
    }
  }

  void add_value(Json value) {
    if (value.is_string()) text_bytes_ += value.get_ref<const std::string&>().size();
    if (text_bytes_ > kLargestDataset)
      fail_input(leaf_.where, "has more than " + std::to_string(kLargestDataset) + " bytes of text");
    column_.values.push_back(std::move(value));
  }

  Json plain_value(ByteReader& reader) const {
    switch (leaf_.type) {
      case ParquetType::kInt32:
        return reader.number<int32_t>();
      case ParquetType::kInt64:
        return reader.number<int64_t>();
      case ParquetType::kUint32:
        return reader.number<uint32_t>();
      case ParquetType::kUint64:
        return reader.number<uint64_t>();
      case ParquetType::kFloat:
        return number_or_null(reader.number<float>());
      case ParquetType::kDouble:
        return number_or_null(reader.number<double>());
      case ParquetType::kBool:
        fail("has a dictionary of two values");
      case ParquetType::kText:
        break;
    }
    return text_value(reader.take(reader.number<uint32_t>()));
  }

  Json text_value(std::string_view text) const {
    if (utf8_fault(text) != std::string_view::npos) fail("a text is not UTF-8");
    return std::string(text);
  }

  const ParquetLeaf& leaf_;
  int64_t codec_, expected_, most_bytes_;
  uint64_t text_bytes_ = 0;
  std::vector<Json> dictionary_;
  ParquetColumn column_;
};

}  // namespace

void fail_parquet(const std::string& where, const std::string& what) {
  fail_input(where, "is damaged: " + what, "copy or download it again");
}

const ThriftValue* ThriftValue::find(int field) const {
  for (const ThriftValue& part : parts)
    if (part.id == field) return &part;
  return nullptr;
}

const ThriftValue& ThriftValue::at(int field) const {
  static const ThriftValue none;
  const ThriftValue* found = find(field);
  return found ? *found : none;
}

int64_t ThriftValue::number_at(int field, int64_t fallback) const {
  const ThriftValue* found = find(field);
  return found ? found->number : fallback;
}

ThriftValue read_thrift(std::string_view* bytes, const std::string& where) {
  ByteReader reader(*bytes, where);
  ThriftValue value = thrift_struct(reader, 0);
  *bytes = reader.rest();
  return value;
}

ParquetColumn read_parquet_column(std::string_view file, const ThriftValue& metadata,
                                  const ParquetLeaf& leaf) {
  int64_t begin = metadata.number_at(9, -1);
  const int64_t dictionary = metadata.number_at(11), bytes = metadata.number_at(7, -1);
  if (dictionary > 0) begin = std::min(begin, dictionary);
  const auto size = static_cast<int64_t>(file.size());
  if (begin < 0 || bytes < 0 || begin > size || bytes > size - begin)
    fail_parquet(leaf.where, "its pages are beyond the end of the file");
  std::string_view chunk = file.substr(static_cast<size_t>(begin), static_cast<size_t>(bytes));
  ColumnReader reader(metadata, leaf);
  while (!reader.done()) reader.page(&chunk);
  return reader.take();
}

}  // namespace sdft
