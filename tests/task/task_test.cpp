// Task files: what is understood, what is refused and how.
#include "task/task.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "task/items.h"
#include "task/python_literal.h"
#include "task/python_random.h"
#include "testing.h"

namespace sdft {
namespace {
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path kHere = fs::path(SDFT_SOURCE_DIR) / "tests" / "task";
const fs::path kOwn = fs::path(SDFT_SOURCE_DIR) / "assets" / "tasks";

class TaskFile : public ::testing::Test {
 protected:
  // A task about one document {"q": "Two?", "options": ["1", "2"], "gold": 1}, with more keys.
  Task read(const std::string& more, const std::string& text = "\"{{q}}\"") {
    write_file_atomic(dir_ / "data" / "d" / "test.jsonl",
                      "{\"q\": \"Two?\", \"options\": [\"1\", \"2\"], \"gold\": 1}\n");
    write_file_atomic(dir_ / "t.yaml",
                      "task: t\ndataset_path: d\ntest_split: test\noutput_type: multiple_choice\n"
                      "doc_to_choice: options\ndoc_to_target: gold\ndoc_to_text: " +
                          text + "\n" + more);
    return find_tasks((dir_ / "t.yaml").string(), {}).front();
  }
  std::string error(const std::string& more, const std::string& text = "\"{{q}}\"") {
    try {
      task_items(read(more, text), {dir_ / "data", 0, -1});
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
  void SetUp() override { fs::create_directories(dir_ / "data" / "d"); }
  testing::ScratchDir dir_;
};

TEST_F(TaskFile, AsksEachChoice) {
  const auto items = task_items(read(""), {dir_ / "data", 0, -1});
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].id, "t/0");
  ASSERT_EQ(items[0].questions.size(), 2u);
  EXPECT_EQ(plain_text(items[0].questions[1].messages), "Two?");
  EXPECT_EQ(items[0].questions[1].continuation, " 2");
  EXPECT_THAT(items[0].gold, ElementsAre(1));
}

TEST_F(TaskFile, WhatIsNotKnownIsRefusedByName) {
  EXPECT_THAT(error("wibble: 3\n"), AllOf(HasSubstr("t.yaml"), HasSubstr("wibble")));
  EXPECT_THAT(error("metric_list: [{metric: wobble}]\n"),
              AllOf(HasSubstr("metric_list"), HasSubstr("wobble"), HasSubstr("acc_norm")));
  EXPECT_THAT(error("metric_list: [{metric: acc, aggregation: sum}]\n"),
              AllOf(HasSubstr("acc"), HasSubstr("sum")));
  EXPECT_THAT(error("metric_list: [{metric: acc, weight: 2}]\n"), HasSubstr("weight"));
  EXPECT_THAT(error("filter_list: [{name: f, filter: [{function: polish}]}]\n"),
              AllOf(HasSubstr("polish"), HasSubstr("take_first")));
  EXPECT_THAT(error("process_docs: !function utils.process_docs\n"),
              AllOf(HasSubstr("process_docs"), HasSubstr("utils.process_docs")));
  EXPECT_THAT(error("metric_list: [{metric: !function utils.score}]\n"), HasSubstr("utils.score"));
  EXPECT_THAT(error("fewshot_config: {sampler: balanced}\n"),
              AllOf(HasSubstr("sampler"), HasSubstr("balanced")));
  EXPECT_THAT(error("generation_kwargs: {until: x}\n"), HasSubstr("generation_kwargs"));
  EXPECT_THAT(error("dataset_kwargs: {revision: main}\n"), HasSubstr("revision"));
  EXPECT_THAT(error("check: number\n"), HasSubstr("generate_until"));
  EXPECT_THAT(error("task: again\n"), AllOf(HasSubstr("t.yaml:"), HasSubstr("twice")));
  EXPECT_THAT(error("x: !python/object a\n"), HasSubstr("tag"));
  EXPECT_THAT(error("", "[1, 2"), HasSubstr("t.yaml"));
  EXPECT_THAT(error("include: nowhere.yaml\n"), HasSubstr("nowhere.yaml"));
  EXPECT_THAT(error("include: t.yaml\n"), HasSubstr("includes more than"));
}

TEST_F(TaskFile, WrongKindsOfValuesAreErrors) {
  for (const char* key : {"metadata", "dataset_kwargs", "fewshot_config", "generation_kwargs"})
    for (const char* value : {"3", "text", "[1]"})
      EXPECT_THAT(error(std::string(key) + ": " + value + "\n"),
                  AllOf(HasSubstr(key), HasSubstr("expected a map")));
  for (const char* key : {"metric_list", "filter_list"})
    for (const char* value : {"[]", "{metric: acc}", "text"})
      EXPECT_THAT(error(std::string(key) + ": " + value + "\n"),
                  AllOf(HasSubstr(key), HasSubstr("expected a list")));
  EXPECT_THAT(error("kind: nice\n"), AllOf(HasSubstr("nice"), HasSubstr("safety")));
  EXPECT_THAT(error("metric_list: [{metric: mcc}]\n"), HasSubstr("no error"));
}

// A task's name stands in names of files.
TEST_F(TaskFile, NamesThatWouldLeaveTheFolderAreRefused) {
  read("");
  for (const char* name : {"a/b", "../x", ".hidden", "\"\""}) {
    write_file_atomic(dir_ / "named.yaml", std::string("include: t.yaml\ntask: ") + name + "\n");
    EXPECT_THROW(find_tasks((dir_ / "named.yaml").string(), {}), Error) << name;
  }
}

TEST(Tasks, OneDamagedFileAmongManyIsSkipped) {
  testing::ScratchDir dir;
  write_file_atomic(dir / "bad.yaml", "task: [good\n");
  write_file_atomic(dir / "good.yaml",
                    "task: good\ndataset_path: d\ntest_split: test\ndoc_to_text: a\ndoc_to_target: b\n");
  EXPECT_EQ(find_tasks("good", {{dir.path()}}).size(), 1u);
}

TEST_F(TaskFile, AWrongFieldIsNamedWithItsPlace) {
  EXPECT_THAT(error("", "\"{{question}}\""), AllOf(HasSubstr("test.jsonl"), HasSubstr("question")));
  EXPECT_THAT(error("", "\"{{q.inner}}\""), AllOf(HasSubstr("test.jsonl"), HasSubstr("inner")));
  EXPECT_THAT(error("num_fewshot: 2\nfewshot_config: {samples: [{q: One}]}\n"), HasSubstr("num_fewshot"));
  EXPECT_THAT(error("num_fewshot: 1\nfewshot_config: {samples: [{q: One}]}\n"),
              AllOf(HasSubstr("as an example"), HasSubstr("fewshot_config")));
  read("");
  write_file_atomic(dir_ / "gold.yaml", "include: t.yaml\ndoc_to_target: \"{{gold + 5}}\"\n");
  try {
    task_items(find_tasks((dir_ / "gold.yaml").string(), {}).front(), {dir_ / "data", 0, -1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("test.jsonl"), HasSubstr("6"), HasSubstr("2 choices")));
  }
}

TEST_F(TaskFile, AMissingDatasetSaysWhereItWasLookedFor) {
  const Task task = read("");
  try {
    task_items(task, {dir_ / "elsewhere", 0, -1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("elsewhere/d/test.jsonl"), HasSubstr("--data_dir")));
  }
}

TEST_F(TaskFile, BrokenRecordsAreNamed) {
  const Task task = read("");
  for (const char* line : {"{\"q\": 1", "[1]", "{}"}) {
    write_file_atomic(dir_ / "data" / "d" / "test.jsonl", std::string(line) + "\n");
    EXPECT_THROW(task_items(task, {dir_ / "data", 0, -1}), Error) << line;
  }
}

TEST(Tasks, NamesGroupsAndTags) {
  const TaskPlaces places{{kHere / "tasks"}};
  EXPECT_EQ(find_tasks("arc_challenge", places).front().data.name, "ARC-Challenge");
  EXPECT_EQ(find_tasks("short_tasks", places).size(), 2u);
  EXPECT_EQ(find_tasks("short", places).size(), 2u);
  try {
    find_tasks("arc_esay", places);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("arc_esay"), HasSubstr("arc_easy")));
    EXPECT_EQ(e.code(), ExitCode::kUsage);
  }
}

TEST(Tasks, OwnTasksAreRead) {
  for (const TaskEntry& entry : list_tasks({{kOwn}}))
    EXPECT_FALSE(find_tasks(entry.name, {{kOwn}}).empty()) << entry.name;
}

TEST(PythonRandom, DrawsAsPython) {
  // python3 -c 'import random; r = random.Random(1234); print([r.sample(range(n), k) for n, k in ((37, 5),
  // (10, 3), (1000, 7), (9, 9))])'
  PythonRandom random(1234);
  EXPECT_THAT(random.sample(37, 5), ElementsAre(28, 7, 0, 5, 2));
  EXPECT_THAT(random.sample(10, 3), ElementsAre(1, 9, 5));
  EXPECT_THAT(random.sample(1000, 7), ElementsAre(242, 17, 31, 807, 16, 354, 663));
  EXPECT_THAT(random.sample(9, 9), ElementsAre(7, 8, 1, 0, 6, 5, 3, 4, 2));
}

TEST(PythonLiteral, ReadsWhatPythonPrints) {
  EXPECT_EQ(
      *read_python_literal("['a', \"it's\", 'q\\'\\n\\u00e9', 3, -2.5e1, True, None, ('x',), {'k': [1]}]"),
      Json::parse("[\"a\", \"it's\", \"q'\\n\u00e9\", 3, -25.0, true, null, [\"x\"], {\"k\": [1]}]"));
  for (const char* text : {"[1", "['a' 'b']", "[a]", "", "{1: 2}", "['\\x4']", "[1]]"})
    EXPECT_FALSE(read_python_literal(text)) << text;
}

}  // namespace
}  // namespace sdft
