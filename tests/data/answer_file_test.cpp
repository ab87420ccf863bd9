#include "data/answer_file.h"

#include <stdexcept>

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {

using sdft::testing::ScratchDir;

TEST(AnswerFile, KeepsTheOrderOfTheIds) {
  const ScratchDir dir;
  {
    AnswerFile file(dir / "a.jsonl", {"a", "b", "c"});
    file.add({"c", "3", "stop", 1});
    file.add({"a", "1", "length", 2});
  }  // killed here, in the middle of a line
  write_file_atomic(dir / "a.jsonl.part", read_text(dir / "a.jsonl.part") + "{\"id\":\"b\",\"te");
  AnswerFile file(dir / "a.jsonl", {"a", "b", "c"});
  EXPECT_EQ(file.open(), std::vector<size_t>{1});
  file.add({"b", "", kFailed, 0, "HTTP 500"});
  EXPECT_EQ(file.finish().size(), 3u);
  EXPECT_FALSE(std::filesystem::exists(dir / "a.jsonl.part"));
  EXPECT_EQ(read_text(dir / "a.jsonl"),
            "{\"id\":\"a\",\"text\":\"1\",\"finish\":\"length\",\"tokens\":2}\n"
            "{\"id\":\"b\",\"text\":\"\",\"finish\":\"failed\",\"tokens\":0,\"error\":\"HTTP 500\"}\n"
            "{\"id\":\"c\",\"text\":\"3\",\"finish\":\"stop\",\"tokens\":1}\n");
  AnswerFile again(dir / "a.jsonl", {"a", "b", "c"});
  EXPECT_EQ(again.open(), std::vector<size_t>{1});
  again.add({"b", "2", "stop", 1});
  EXPECT_EQ(again.finish()[1].text, "2");
  EXPECT_TRUE(AnswerFile(dir / "a.jsonl", {"a", "b", "c"}).open().empty());
}

TEST(AnswerFile, OfOtherPromptsIsRefused) {
  const ScratchDir dir;
  write_file_atomic(dir / "a.jsonl", line_of({"a", "1", "stop", 1}) + "\n");
  EXPECT_THROW(AnswerFile(dir / "a.jsonl", {"b"}), Error);
  EXPECT_THROW(AnswerFile(dir / "a.jsonl", {"a", "b"}), Error);
  write_file_atomic(dir / "b.jsonl.part", line_of({"a", "1", "stop", 1}) + "\n");
  EXPECT_THROW(AnswerFile(dir / "b.jsonl", {"b"}), Error);
  write_file_atomic(dir / "c.jsonl", "{\"id\": 3}\n");
  EXPECT_THROW(AnswerFile(dir / "c.jsonl", {"c"}), Error);
  EXPECT_THROW(AnswerFile(dir / "d.jsonl", {"a", "a"}), std::logic_error);
}

}  // namespace
}  // namespace sdft
