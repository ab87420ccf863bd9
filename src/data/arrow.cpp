#include "data/arrow.h"

#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/arrow_batch.h"

namespace sdft {
namespace {

enum MessagePart { kVersion, kHeaderType, kHeader, kBodyLength, kMessageMetadata };
enum HeaderType { kSchema = 1, kDictionaryBatch, kRecordBatch };
enum DictionaryPart { kId, kData, kIsDelta };
enum FooterPart { kFooterVersion, kFooterSchema, kDictionaryBlocks, kBatchBlocks };

struct FileBlock {
  int64_t offset;
  int32_t metadata_bytes, padding;
  int64_t body_bytes;
};

constexpr std::string_view kFileMark = "ARROW1";
constexpr int64_t kMostRecords = int64_t{1} << 26;

// A stream is messages one after the other: 0xffffffff (not in old streams), the length of the metadata, the
// metadata, the body; a length of 0 ends them. A file names those that count at its end.
class StreamReader {
 public:
  StreamReader(std::string_view file, const std::string& path) : file_(file), rest_(file), path_(path) {}

  RecordTexts read() {
    if (file_.substr(0, kFileMark.size()) == kFileMark)
      read_file();
    else
      while (!rest_.empty() && next())
        ;
    if (!schema_) fail_input(path_, "is no Arrow stream: it has no schema");
    found_.notes = schema_->notes;
    return std::move(found_);
  }

 private:
  // At its end: a footer with the schema and the messages' places, its length in 4 bytes, the mark.
  void read_file() {
    const size_t tail = kFileMark.size() + sizeof(uint32_t);
    if (file_.size() < 2 * tail || file_.substr(file_.size() - kFileMark.size()) != kFileMark)
      fail_input(path_, "is cut off: it does not end with ARROW1", "copy or download it again");
    rest_ = file_.substr(file_.size() - tail);
    const uint32_t size = length();
    if (size > file_.size() - tail) fail_arrow(path_, "its footer is longer than the file");
    const FlatTable footer(file_.substr(file_.size() - tail - size, size), path_);
    check_version(footer.number<int16_t>(kFooterVersion));
    take_schema(footer.table(kFooterSchema), size);
    uint64_t read = 0;  // no part counts twice
    for (const FooterPart part : {kDictionaryBlocks, kBatchBlocks})
      for (const FileBlock& block : footer.numbers<FileBlock>(part)) {
        const auto offset = static_cast<uint64_t>(block.offset);
        if (offset > file_.size()) fail_arrow(path_, "a part is beyond the end of the file");
        rest_ = file_.substr(offset);
        const size_t before = rest_.size();
        if (!next()) fail_arrow(path_, "a part is empty");
        read += before - rest_.size();
        if (read > file_.size()) fail_arrow(path_, "its parts are larger than the file");
      }
  }

  void check_version(int16_t version) const {
    constexpr int16_t kOldest = 3;  // V4, of Arrow 0.8
    if (version < kOldest) fail_input(path_, "is of a version of Arrow before 0.8, which is not read");
  }

  // Feather of Arrow 0.17 named the codec beside the message.
  static int early_codec(const FlatTable& message) {
    for (const FlatTable& pair : message.tables(kMessageMetadata))
      if (pair.text(0) == "ARROW:experimental_compression")
        return pair.text(1) == "zstd" ? kArrowZstd : kArrowLz4;
    return kArrowPlain;
  }

  std::string_view take(uint64_t size) {
    if (size > rest_.size())
      fail_input(path_, "is cut off: a message is longer than the file", "copy or download it again");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  uint32_t length() {
    uint32_t value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  bool next() {
    constexpr uint32_t kContinues = 0xffffffff;
    stop_if_interrupted();
    uint32_t size = length();
    if (size == kContinues) size = length();
    if (size == 0) return false;
    const std::string_view metadata = take(size);
    const FlatTable message(metadata, path_);
    check_version(message.number<int16_t>(kVersion));
    context_.codec = early_codec(message);
    const std::string_view body = take(static_cast<uint64_t>(message.number<int64_t>(kBodyLength)));
    const auto type = message.number<uint8_t>(kHeaderType);
    if (type != kSchema && !schema_) fail_input(path_, "is no Arrow stream: it does not begin with a schema");
    if (type == kSchema)
      take_schema(message.table(kHeader), metadata.size());
    else if (type == kDictionaryBatch)
      take_dictionary(message.table(kHeader), body);
    else if (type == kRecordBatch)
      take_batch(message.table(kHeader), body);
    else
      fail_input(path_, "holds a message of type " + std::to_string(type) + ", which is no table");
    return true;
  }

  void take_schema(const FlatTable& table, size_t bytes) {
    if (schema_) fail_arrow(path_, "it has two schemas");
    schema_ = std::make_shared<const ArrowSchema>(read_arrow_schema(table, bytes, path_));
  }

  void take_dictionary(const FlatTable& table, std::string_view body) {
    const auto id = table.number<int64_t>(kId);
    const ArrowField* values = dictionary_values(schema_->root, id);
    if (!values) fail_arrow(path_, "it has values that no column names");
    if (table.number<uint8_t>(kIsDelta))
      fail_input(values->where, "has its dictionary in parts, which is not read",
                 "write the file again without delta dictionaries");
    if (values->form >= ArrowForm::kLeftOut) return;
    const auto batch = read_arrow_batch(table.table(kData), body, values, 1, context_, path_);
    context_.dictionaries[id] = std::shared_ptr<const ArrowArray>(batch, &batch->columns[0]);
  }

  void take_batch(const FlatTable& table, std::string_view body) {
    const auto count = table.number<int64_t>(0);
    const std::vector<ArrowField>& columns = schema_->root.children;
    const auto batch = read_arrow_batch(table, body, columns.data(), columns.size(), context_, path_);
    const auto so_far = static_cast<int64_t>(found_.records.size());
    if (count < 0 || count > kMostRecords - so_far)
      fail_input(path_, "has more than " + std::to_string(kMostRecords) + " records",
                 "write it as several files");
    for (int64_t i = 0; i < count; ++i)
      found_.records.push_back({path_ + ": record " + std::to_string(so_far + i),
                                [schema = schema_, batch = batch, i] { return arrow_record(*batch, i); }});
  }

  std::string_view file_, rest_;
  const std::string path_;
  std::shared_ptr<const ArrowSchema> schema_;
  ArrowContext context_;
  RecordTexts found_;
};

}  // namespace

RecordTexts arrow_records(std::string_view file, const std::string& path) {
  return StreamReader(file, path).read();
}

}  // namespace sdft
