#include "base/file.h"

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "testing.h"

namespace sdft {
namespace {
using testing::ScratchDir;

TEST(File, AtomicWriteLeavesNoTemporary) {
  ScratchDir dir;
  write_file_atomic(dir / "a", "one");
  write_file_atomic(dir / "a", "two");
  EXPECT_EQ(read_text(dir / "a"), "two");
  EXPECT_FALSE(std::filesystem::exists(dir / "a.tmp"));
}

TEST(File, FailedWriterKeepsTheOldBytes) {
  ScratchDir dir;
  write_file_atomic(dir / "a", "old");
  EXPECT_THROW(write_file_atomic(dir / "a",
                                 [](const auto& put) {
                                   put("new", 3);
                                   fail_input("x", "y");
                                 }),
               Error);
  EXPECT_EQ(read_text(dir / "a"), "old");
  EXPECT_FALSE(std::filesystem::exists(dir / "a.tmp"));
}

TEST(File, LineWriterCutsAnUnfinishedLine) {
  ScratchDir dir;
  { std::ofstream(dir / "l") << "one\ntw"; }
  { LineWriter(dir / "l").write("three"); }
  EXPECT_EQ(read_text(dir / "l"), "one\nthree\n");
}

TEST(File, UnfinishedLineIsIgnored) {
  ScratchDir dir;
  { std::ofstream(dir / "l") << "one\ntw"; }
  EXPECT_EQ(for_each_line(dir / "l", [](std::string_view, size_t) {}), 1u);
  EXPECT_EQ(for_each_line(
                dir / "l", [](std::string_view, size_t) {}, true),
            2u);
}

TEST(File, Sha256) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Json, ErrorNamesLineAndColumn) {
  try {
    parse_json("{\n  \"a\": 1,\n  oops\n}", "f.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).rfind("f.json:3:", 0), 0u) << e.what();
  }
}

TEST(Json, RefusesNulBytesAndHugeNumbers) {
  EXPECT_THROW(parse_json(std::string("1\0x", 3), "f"), Error);
  EXPECT_THROW(parse_json("1e9999", "f"), Error);
}

TEST(Random, StreamsDiffer) {
  Random a(1, "x"), b(1, "y"), c(2, "x"), same(1, "x");
  const uint64_t first = a.next();
  EXPECT_NE(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_EQ(first, same.next());
}

TEST(Random, GoesOnFromItsCount) {
  Random a(1, "x");
  for (int i = 0; i < 5; ++i) a.next();
  Random b(1, "x");
  b.set_count(a.count());
  EXPECT_EQ(a.next(), b.next());
}

TEST(Random, UniformIsUniform) {
  Random random(3);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) sum += random.uniform();
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(Error, NearestSuggestsOnlyWhatIsNear) {
  const std::vector<std::string> names = {"learning_rate", "lora_rank"};
  EXPECT_EQ(nearest("learning_rat", names), "learning_rate");
  EXPECT_EQ(nearest("xyz", names), "");
}

TEST(File, FullDiskIsAnInputError) {
  try {
    LineWriter("/dev/full").write("x");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    EXPECT_NE(std::string(e.what()).find("free some space"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sdft
