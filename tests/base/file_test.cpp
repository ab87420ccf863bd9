#include "base/file.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/json_events.h"
#include "base/printable.h"
#include "base/random.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ScratchDir;

TEST(File, AtomicWriteLeavesNoTemporary) {
  ScratchDir dir;
  write_file_atomic(dir / "a", "one");
  write_file_atomic(dir / "a", "two");
  EXPECT_EQ(read_text(dir / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
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
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
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

// What `act` fails with, as input.
std::string fault(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// Neither opened (a pipe without a writer would block for ever) nor replaced.
TEST(File, OnlyRegularFiles) {
  ScratchDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  fs::create_directory(dir / "folder");
  fs::create_symlink(dir / "loop", dir / "loop");
  const std::map<fs::path, std::string> cases = {{dir / "pipe", "a named pipe"},
                                                 {dir / "folder", "is a folder"},
                                                 {dir / "loop", "symbolic links"},
                                                 {"/dev/zero", "a device"},
                                                 {dir / std::string(300, 'x'), "name too long"}};
  for (const auto& item : cases) {
    const fs::path& path = item.first;
    const std::vector<std::function<void()>> uses = {
        [&] { read_text(path); }, [&] { sha256_file(path); }, [&] { MappedFile file(path); },
        [&] { LineWriter file(path); }, [&] { for_each_line(path, [](std::string_view, size_t) {}); }};
    for (const auto& use : uses)
      EXPECT_THAT(fault(use), AllOf(HasSubstr(path.string()), HasSubstr(item.second)));
  }
  EXPECT_THAT(fault([] { write_file_atomic("/dev/null", "x"); }), HasSubstr("a device"));
  EXPECT_THAT(fault([&] { write_file_atomic(dir / "pipe", "x"); }), HasSubstr("a named pipe"));
  EXPECT_THAT(fault([&] { write_file_atomic(dir / "folder", "x"); }), HasSubstr("is a folder"));
}

TEST(File, SparseAndLargeTextsAreRefused) {
  ScratchDir dir;
  write_file_atomic(dir / "sparse", "{\n");
  fs::resize_file(dir / "sparse", kLargestText);
  EXPECT_THAT(fault([&] { read_text(dir / "sparse"); }), HasSubstr("NUL bytes"));
  fs::resize_file(dir / "sparse", uint64_t{1} << 40);
  EXPECT_THAT(fault([&] { read_text(dir / "sparse"); }), HasSubstr("1099511627776 bytes"));
  EXPECT_THAT(fault([&] { for_each_line(dir / "sparse", [](std::string_view, size_t) {}); }),
              HasSubstr("1099511627776 bytes"));
}

TEST(File, ReadingStopsWhenInterrupted) {
  ScratchDir dir;
  write_file_atomic(dir / "a", "text");
  ASSERT_TRUE(request_interrupt());
  EXPECT_FALSE(request_interrupt());
  EXPECT_THROW(read_text(dir / "a"), Error);
  EXPECT_THROW(sha256_file(dir / "a"), Error);
  pollfd wait{interrupt_descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 0), 1);
  forget_interrupt();
  EXPECT_EQ(::poll(&wait, 1, 0), 0);
  EXPECT_EQ(read_text(dir / "a"), "text");
}

// Of killed writers of this file, and only of those: not of living ones, not what is named otherwise.
TEST(File, TemporaryFilesLeftBehindAreRemoved) {
  ScratchDir dir;
  const pid_t child = ::fork();
  if (child == 0) {
    write_file_atomic(dir / "a", [](const auto& put) {
      put("half", 4);
      ::_exit(0);
    });
  }
  ::waitpid(child, nullptr, 0);
  for (const char* name : {"b.tmp", ".a.tmp", ".a.0123456789abcdeg.tmp", ".ab.0123456789abcdef.tmp"})
    write_file_atomic(dir / name, "mine");
  const auto files = [&] {
    return std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator());
  };
  EXPECT_EQ(files(), 5);
  write_file_atomic(dir / "a",
                    [&](const auto&) { write_file_atomic(dir / "a", "inner"); });  // while one lives
  EXPECT_EQ(files(), 5);                                                           // a, and the four
  EXPECT_EQ(read_text(dir / "a"), "");
  write_file_atomic(dir / std::string(255, 'x'), "as long as a name may be");
}

TEST(Printable, NothingSteersATerminal) {
  EXPECT_EQ(printable("a\tb\n\u00e4\U0001F600"), "a\tb\n\u00e4\U0001F600");
  EXPECT_EQ(printable("\x1b[2J\r\x7f\b"), "\\u001b[2J\\u000d\\u007f\\u0008");
  EXPECT_EQ(printable("\u009b\u202e"), "\\u009b\\u202e");
  EXPECT_EQ(printable("\x9b\xff\xc3"), "\\x9b\\xff\\xc3");
}

TEST(Json, DeepNestingIsRefused) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_THAT(fault([&] { parse_json(deep, "f"); }),
              AllOf(HasSubstr("f:1:201"), HasSubstr("nested too deep")));
  EXPECT_THAT(fault([&] { parse_json<nlohmann::json>(deep, "f"); }), HasSubstr("nested too deep"));
  parse_json("[\"" + deep + "\", \"\\\"" + deep + "\"]", "f");  // in a text
}

TEST(Json, EventsSayWhatATextSays) {
  struct Log : JsonEvents {
    std::string log;
    void start(bool object) override { log += object ? "{" : "["; }
    void end() override { log += "."; }
    void key(std::string_view key) override { log += "k" + std::string(key) + " "; }
    void string(std::string_view text) override { log += "s" + std::string(text) + " "; }
    void scalar(const nlohmann::json& value) override { log += value.dump() + " "; }
  };
  auto events = [](const std::string& text) {
    Log log;
    read_json_events(text, "f", log);
    return log.log;
  };
  EXPECT_EQ(events(R"({"a": ["\u00e4", 1, -2, 2.5, null], "a": {"b": false}})"),
            "{ka [sä 1 -2 2.5 null .ka {kb false ..");
  EXPECT_EQ(events(" 7 "), "7 ");
  EXPECT_THAT(fault([&] { events("[1,\n 2"); }), HasSubstr("f:2:3: not valid JSON: "));
  EXPECT_THAT(fault([&] { events("[1]]"); }), HasSubstr("f:1:4: not valid JSON: "));
  EXPECT_THAT(fault([&] { events(std::string("[\"\0\"]", 5)); }),
              HasSubstr("f:1:3: not valid JSON: it holds a NUL"));
  EXPECT_THAT(fault([&] { events("[\"\xff\"]"); }), HasSubstr("f:1:3: not valid JSON: "));
  EXPECT_THAT(fault([&] { events("[1e999]"); }), HasSubstr("f: not valid JSON: a number is out of range"));
  EXPECT_THAT(fault([&] { events(std::string(300, '[')); }),
              HasSubstr("f:1:201: values are nested too deep"));
  interrupted = true;
  EXPECT_THROW(events("[\"" + std::string(10000, 'a') + "\"]"), Error);
  interrupted = false;
}

TEST(Json, WholeNumbersAreWholeAndFit) {
  const Json json =
      parse_json(R"({"a": 4096.0, "b": 1.5, "c": 1e300, "d": 4294967296, "e": -1, "f": true})", "f");
  EXPECT_EQ(require<int>(json, "a", "f"), 4096);
  EXPECT_EQ(require<int64_t>(json, "d", "f"), int64_t{1} << 32);
  EXPECT_EQ(require<int>(json, "e", "f"), -1);
  EXPECT_THAT(fault([&] { require<int>(json, "b", "f"); }), HasSubstr("'b'"));
  EXPECT_THAT(fault([&] { require<int64_t>(json, "c", "f"); }), HasSubstr("'c'"));
  EXPECT_THAT(fault([&] { require<int>(json, "d", "f"); }), HasSubstr("'d'"));
  EXPECT_THAT(fault([&] { require<size_t>(json, "e", "f"); }), HasSubstr("'e'"));
  EXPECT_THAT(fault([&] { require<int>(json, "f", "f"); }), HasSubstr("'f'"));
}

}  // namespace
}  // namespace sdft
