// Files of tools/arrow-fixtures, and what becomes of them when bytes are missing or wrong.
#include "data/arrow.h"

#include <gmock/gmock.h>

#include <cstring>

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

const fs::path kFiles = fs::path(SDFT_SOURCE_DIR) / "tests/data/arrow";

std::vector<Json> records_of(const std::string& name) {
  std::vector<Json> records;
  const RecordFile file = read_record_file(kFiles / name);
  for (const RecordText& record : file.texts.records) records.push_back(record.read());
  return records;
}

// The message of the Error(kInput) with which the bytes must be refused; "" where they are read.
std::string fault(std::string_view bytes) {
  try {
    for (const RecordText& record : arrow_records(bytes, "x.arrow").records) record.read();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("x.arrow"));
    return error.what();
  }
  return "";
}

std::vector<fs::path> all_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFiles))
    if (entry.path().extension() == ".arrow" || entry.path().extension() == ".feather")
      files.push_back(entry.path());
  EXPECT_GE(files.size(), 10u);
  return files;
}

TEST(Arrow, EveryKindOfValueAndMissingOnes) {
  const std::vector<Json> expected = records_of("kinds.jsonl");
  for (const char* name : {"kinds", "kinds-zstd", "kinds-lz4", "kinds-file"}) {
    const std::vector<Json> records = records_of(std::string(name) + ".arrow");
    ASSERT_EQ(records.size(), expected.size());
    for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], expected[i]) << name << i;
  }
  EXPECT_EQ(records_of("kinds.arrow")[2]["int32"], -2);
  EXPECT_EQ(records_of("two.feather")[0].dump(), R"({"instruction":"a","output":"b"})");
}

TEST(Arrow, LeavesOutByNameWhatJsonHasNoFormFor) {
  const Dataset data = read_dataset(kFiles / "left-out.arrow");
  EXPECT_EQ(
      data.examples[0].fields.dump(),
      R"({"instruction":"a","output":"c","image":{"path":"a.png"},"words":{"a":1,"b":2},"json":{"a":[1,"x"]}})");
  EXPECT_EQ(data.examples[1].fields.dump(),
            R"({"instruction":"b","output":"d","image":{"path":"a.png"},"words":{},"json":null})");
  EXPECT_EQ(data.examples[1].where, (kFiles / "left-out.arrow").string() + ": record 1");
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("'when'"), HasSubstr("'day'"), HasSubstr("'price'"),
                                      HasSubstr("'bytes'"), HasSubstr("'bytes_view'"), HasSubstr("'short'"),
                                      HasSubstr("'bytes_kind'"), HasSubstr("'image.bytes'")));
}

TEST(Arrow, RefusesByNameWhatItDoesNotRead) {
  auto of = [](const std::string& name) { return fault(read_text(kFiles / ("refused-" + name + ".arrow"))); };
  EXPECT_THAT(of("union"), HasSubstr("column 'x': has the type union, which is not read"));
  EXPECT_THAT(of("runs"), HasSubstr("column 'x': has the type run_end_encoded"));
  EXPECT_THAT(of("list_view"), HasSubstr("column 'x': has the type list_view"));
  EXPECT_THAT(of("nested_dictionary"), HasSubstr("column 'x': is a dictionary of lists or objects"));
  EXPECT_THAT(fault(""), HasSubstr("is no Arrow stream"));
  EXPECT_THAT(fault("{\"a\": 1}"), HasSubstr("is cut off"));
  EXPECT_THAT(fault("ARROW1 and no more than this"), HasSubstr("does not end with ARROW1"));
}

// A stream may end behind any of its messages; fewer records are no fault that it could show.
TEST(Arrow, ThatIsCutOffIsRefusedOrShorter) {
  for (const fs::path& path : all_files()) {
    const std::string bytes = read_text(path);
    size_t refused = 0, tried = 0;
    for (size_t kept = 0; kept < bytes.size(); kept += 7, ++tried)
      refused += !fault(std::string_view(bytes).substr(0, kept)).empty();
    EXPECT_GT(refused, tried / 2) << path;
    for (size_t at = 8; at + 40 < bytes.size(); at += 31) fault(bytes.substr(0, at) + bytes.substr(at + 9));
  }
}

// A byte after the other, a bit wrong or all of it: refused, or read as something else; nothing worse.
TEST(Arrow, WithAWrongByteIsNoCrash) {
  Random random(1, "bytes");
  for (const fs::path& path : all_files()) {
    const std::string bytes = read_text(path);
    const size_t step = bytes.size() > 3000 ? 29 : 3;
    for (size_t i = 0; i < bytes.size(); i += step)
      for (const int wrong : {1 << random.below(8), 0xff}) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ wrong);
        fault(damaged);
      }
  }
}

// Four bytes at once, as lengths and counts are: none may be believed.
TEST(Arrow, WithHugeNumbersIsNoCrash) {
  const std::string bytes = read_text(kFiles / "left-out.arrow");
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4)
    for (const uint32_t number : {0u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 0x00100000u}) {
      std::string damaged = bytes;
      std::memcpy(damaged.data() + i, &number, sizeof number);
      fault(damaged);
    }
}

TEST(Arrow, TextThatIsNotUtf8IsRefused) {
  std::string bytes = read_text(kFiles / "saved/data-00000-of-00002.arrow");
  const size_t text = bytes.find("question 0");
  ASSERT_NE(text, std::string::npos);
  bytes[text] = '\xff';
  EXPECT_THAT(fault(bytes), HasSubstr("column 'instruction': is damaged: a text is not UTF-8"));
}

}  // namespace
}  // namespace sdft
