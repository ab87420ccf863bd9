// Files of tools/parquet-fixtures, and what becomes of them when bytes are missing or wrong.
#include "data/parquet.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/dataset.h"
#include "data/record_file.h"
#include "testing.h"

namespace sdft {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kFiles = fs::path(SDFT_SOURCE_DIR) / "tests/data/parquet";

std::vector<Json> records_of(const std::string& name) {
  std::vector<Json> records;
  for (const RecordText& record : read_record_file(kFiles / name).texts.records)
    records.push_back(record.read());
  return records;
}

// The message of the Error(kInput) with which the bytes must be refused; "" where they are read.
std::string fault(std::string_view bytes) {
  try {
    for (const RecordText& record : parquet_records(bytes, "x.parquet").records) record.read();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("x.parquet"));
    return error.what();
  }
  return "";
}

std::vector<fs::path> all_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFiles))
    if (entry.path().extension() == ".parquet") files.push_back(entry.path());
  EXPECT_GT(files.size(), 20u);
  return files;
}

TEST(Parquet, ConversationsAreTheRecordsOfJsonl) {
  const std::vector<Json> expected = records_of("chat.jsonl");
  ASSERT_EQ(expected.size(), 6u);
  for (const char* codec : {"none", "snappy", "gzip", "zstd"})
    for (const char* version : {"v1", "v2"})
      for (const char* values : {"dictionary", "plain"})
        EXPECT_EQ(records_of(std::string("chat-") + codec + "-" + version + "-" + values + ".parquet"),
                  expected)
            << codec << version << values;
  for (const char* codec : {"lz4", "brotli"})
    EXPECT_EQ(records_of(std::string("chat-") + codec + "-v2-plain.parquet"), expected) << codec;
}

TEST(Parquet, EveryKindOfValueAndMissingOnes) {
  const std::vector<Json> expected = records_of("kinds.jsonl");
  for (const char* name : {"kinds-v1", "kinds-v2", "kinds-v1-plain", "kinds-v2-plain", "kinds-v1-deltas",
                           "kinds-v2-deltas", "kinds-v1-split", "kinds-v2-split"}) {
    const std::vector<Json> records = records_of(std::string(name) + ".parquet");
    ASSERT_EQ(records.size(), expected.size());
    for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], expected[i]) << name << i;
  }
}

TEST(Parquet, IsADataset) {
  const Dataset data = read_dataset(kFiles / "chat-snappy-v1-dictionary.parquet");
  const Dataset lines = read_dataset(kFiles / "chat.jsonl");
  ASSERT_EQ(data.examples.size(), 6u);
  EXPECT_EQ(data.name, "chat-snappy-v1-dictionary");
  EXPECT_EQ(data.examples[0].system, "Be brief.");
  EXPECT_THAT(data.examples[5].where, HasSubstr(".parquet: record 5"));
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(data.examples[i].id, lines.examples[i].id);
    EXPECT_EQ(data.examples[i].response, lines.examples[i].response);
    EXPECT_EQ(data.examples[i].instruction, lines.examples[i].instruction);
  }
}

TEST(Parquet, LeavesOutByNameWhatJsonHasNoFormFor) {
  const Dataset data = read_dataset(kFiles / "left-out.parquet");
  EXPECT_EQ(data.examples[1].fields.dump(),
            R"({"instruction":"b","output":"d","image":{"path":"a.png"},"words":{}})");
  EXPECT_EQ(data.examples[0].fields["words"].dump(), R"({"a":1,"b":2})");
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("'when'"), HasSubstr("'day'"), HasSubstr("'price'"),
                                      HasSubstr("'bytes'"), HasSubstr("'image.bytes'")));
}

TEST(Parquet, RefusesByNameWhatItDoesNotRead) {
  std::string bytes = read_text(kFiles / "left-out.parquet");
  bytes.replace(0, 4, "PARE");
  EXPECT_THAT(fault(bytes), HasSubstr("is encrypted"));
  bytes = read_text(kFiles / "left-out.parquet");
  std::string all;  // some byte of the metadata is the codec's number, 3 as it is written there
  for (size_t i = bytes.size() / 2; i < bytes.size(); ++i)
    all += fault(bytes.substr(0, i) + '\x06' + bytes.substr(i + 1)) + "\n";
  EXPECT_THAT(all, HasSubstr("column 'instruction', row group 0: is compressed by LZO, which is not read"));
  EXPECT_THAT(fault("{\"a\": 1}"), HasSubstr("is no Parquet file"));
  EXPECT_THAT(fault(""), HasSubstr("is no Parquet file"));
}

TEST(Parquet, ThatIsCutOffIsRefused) {
  for (const fs::path& path : all_files()) {
    const std::string bytes = read_text(path);
    for (size_t kept = 0; kept < bytes.size(); kept += 7)
      EXPECT_NE(fault(std::string_view(bytes).substr(0, kept)), "") << path << kept;
    // The end is there, and something before it is not.
    for (size_t at = 4; at + 40 < bytes.size(); at += 31)
      EXPECT_NE(fault(bytes.substr(0, at) + bytes.substr(at + 9)), "") << path << at;
  }
}

// A bit of one byte after the other: refused, or read as another text or number; nothing worse.
TEST(Parquet, WithAWrongBitIsNoCrash) {
  size_t refused = 0, read = 0;
  Random random(1, "bytes");
  for (const fs::path& path : all_files()) {
    const std::string bytes = read_text(path);
    const size_t step = bytes.size() > 2500 ? 17 : 2;  // those have many pages
    for (size_t i = 0; i < bytes.size(); i += step) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << random.below(8));
      ++(fault(damaged).empty() ? read : refused);
    }
  }
  EXPECT_GT(refused, read);
}

// Missing rows take no bytes, so that a small file may claim any number of them.
TEST(Parquet, ThatClaimsTooManyRecordsIsRefused) {
  const std::string bytes = read_text(kFiles / "kinds-v1.parquet");
  const size_t size = static_cast<unsigned char>(bytes[bytes.size() - 8]) +
                      256 * static_cast<unsigned char>(bytes[bytes.size() - 7]);
  std::string footer = bytes.substr(bytes.size() - 8 - size, size);
  const size_t rows = footer.find("\x16\x50\x19");  // field 3: 40 records
  ASSERT_NE(rows, std::string::npos);
  footer.replace(rows + 1, 1, "\x80\x80\x80\x80\x01");
  std::string more = bytes.substr(0, bytes.size() - 8 - size) + footer;
  for (const size_t part : {size + 4, (size + 4) >> 8, size_t{0}, size_t{0}})
    more += static_cast<char>(part & 255);
  EXPECT_THAT(fault(more + "PAR1"), HasSubstr("has more than 67108864 records"));
}

// Version 2 of the fixtures has checksums of its pages, which a wrong byte in any page breaks.
TEST(Parquet, ChecksPagesSums) {
  std::string bytes = read_text(kFiles / "chat-none-v2-plain.parquet");
  const size_t at = bytes.find("Be brief.");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'b';
  EXPECT_THAT(fault(bytes), HasSubstr("column 'messages.list.element.content', row group 0: is damaged: "
                                      "a page's checksum is wrong"));
}

}  // namespace
}  // namespace sdft
