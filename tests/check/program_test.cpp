// The check "program": verdicts of HumanEval, and programs that try to pass without being right.
#include <gmock/gmock.h>

#include <cstdio>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "check/check.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      require_sandbox();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  static Example record(Json fields, const std::string& reference = "x") {
    Example made;
    made.response = reference;
    made.fields = std::move(fields);
    return made;
  }

  static std::vector<EvalResult> judge(const std::string& check, const std::vector<Example>& records,
                                       const std::vector<std::string>& answers, double seconds = 10) {
    std::vector<CheckItem> items;
    for (size_t i = 0; i < records.size(); ++i) items.push_back(check_item(records[i], answers[i]));
    JudgeOptions options;
    options.sandbox.seconds = seconds;
    options.sandbox.jobs = 4;
    return sdft::judge(parse_check(check, kTaskCheck), items, options);
  }

  // "" where the answer passes the tests, else the reason and what more there is to say.
  static std::string verdict(const std::string& answer, const std::vector<std::string>& tests,
                             const std::string& reference = "x", double seconds = 5) {
    const EvalResult result =
        judge("program", {record({{"tests", tests}}, reference)}, {answer}, seconds).at(0);
    return result.reason + (result.matched.empty() ? "" : ": " + result.matched);
  }
};

std::vector<Json> rows(const std::filesystem::path& path) {
  std::vector<Json> all;
  for_each_line(path, [&](std::string_view line, size_t) { all.push_back(parse_json(line, "row")); });
  return all;
}

// The 164 problems of HumanEval (Chen et al. 2021), as its file has them.
std::vector<Json> human_eval(const std::filesystem::path& packed) {
  sdft::testing::ScratchDir scratch;
  const std::string path = (scratch / "problems.jsonl").string();
  if (std::system(("gzip -dc '" + packed.string() + "' > '" + path + "'").c_str()) != 0) return {};
  return rows(path);
}

std::string text(const Json& row, const char* name) { return row.at(name).get<std::string>(); }

TEST_F(ProgramTest, HumanEvalAsTheOriginalJudgesIt) {
  const auto path = sdft::testing::fixture("eval/humaneval/HumanEval.jsonl.gz");
  REQUIRE_FIXTURE(path);
  std::vector<Example> records;
  std::vector<std::string> completions, idle, answers;
  for (const Json& row : human_eval(path)) {
    records.push_back(record(row));
    completions.push_back(text(row, "canonical_solution"));
    idle.push_back("    return None\n");
    answers.push_back("It is:\n```python\n" + text(row, "prompt") + completions.back() + "```\nDone.");
  }
  ASSERT_EQ(records.size(), 164u);
  EXPECT_NO_THROW(require_judgeable(parse_check("program:humaneval", kTaskCheck), records));
  const std::pair<const char*, const std::vector<std::string>*> forms[] = {
      {"program:humaneval", &completions}, {"program", &completions}, {"program", &answers}};
  for (const auto& [check, given] : forms) {
    const std::vector<EvalResult> results = judge(check, records, *given);
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_EQ(results[i].score, 1) << check << i << " " << results[i].reason << ": " << results[i].matched;
  }
  for (const EvalResult& result : judge("program:humaneval", records, idle))
    EXPECT_EQ(result.reason, "tests_failed") << result.matched;
}

TEST_F(ProgramTest, HumanEvalSynthesizeAsTheOriginalJudgesIt) {
  const auto path = sdft::testing::fixture("eval/humaneval/humanevalpack_python.jsonl");
  REQUIRE_FIXTURE(path);
  std::vector<Example> records;
  std::vector<std::string> right, wrong, answers, wrong_answers;
  for (const Json& row : rows(path)) {
    records.push_back(record(row));
    right.push_back("\n" + text(row, "canonical_solution") + "\n\nprint(1 / 0)\n");
    wrong.push_back("\n" + text(row, "buggy_solution"));
    answers.push_back("```python\n" + text(row, "declaration") + text(row, "canonical_solution") + "```");
    wrong_answers.push_back("```python\n" + text(row, "declaration") + text(row, "buggy_solution") + "```");
  }
  ASSERT_EQ(records.size(), 164u);
  const std::tuple<const char*, const std::vector<std::string>*, bool> forms[] = {
      {"program:synthesize", &right, true},
      {"program:synthesize", &wrong, false},
      {"program", &answers, true},
      {"program", &wrong_answers, false}};
  for (const auto& [check, given, passes] : forms) {
    const std::vector<EvalResult> results = judge(check, records, *given);
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_EQ(results[i].score, passes ? 1 : 0)
          << check << i << " " << results[i].reason << ": " << results[i].matched;
  }
}

TEST_F(ProgramTest, SamplesOfTheOriginal) {
  const auto dir = sdft::testing::fixture("eval/humaneval");
  REQUIRE_FIXTURE(dir / "example_samples.jsonl");
  const Example problem = record(rows(dir / "example_problem.jsonl").at(0));
  std::vector<std::string> completions, reasons;
  for (const Json& row : rows(dir / "example_samples.jsonl")) completions.push_back(text(row, "completion"));
  const std::vector<Example> problems(completions.size(), problem);
  for (const EvalResult& result : judge("program:humaneval", problems, completions, 3))
    reasons.push_back(result.reason);
  EXPECT_THAT(reasons, ElementsAre("tests_failed", "timed_out", "tests_failed", "", "", ""));
}

struct Wrong {
  std::string what, code;
  std::vector<std::string> tests;
};

std::vector<Wrong> wrong_programs() {
  std::vector<Wrong> all;
  for_each_line(std::filesystem::path(SDFT_SOURCE_DIR) / "tests/check/wrong_programs.txt",
                [&](std::string_view line, size_t) {
                  if (line.substr(0, 4) == "=== ") {
                    all.push_back({std::string(line.substr(4)), "", {}});
                  } else if (line.substr(0, 6) == "#test ") {
                    all.back().tests.emplace_back(line.substr(6));
                  } else if (!all.empty()) {
                    all.back().code += std::string(line) + "\n";
                  }
                });
  return all;
}

TEST_F(ProgramTest, WrongProgramsThatTryDoNotPass) {
  const std::vector<Wrong> all = wrong_programs();
  ASSERT_GT(all.size(), 40u);
  std::vector<Example> records;
  std::vector<std::string> answers;
  for (const Wrong& wrong : all) {
    const std::vector<std::string> usual = {"assert f(2) == 4", "assert f(3) == 9"};
    records.push_back(record({{"tests", wrong.tests.empty() ? usual : wrong.tests}}));
    answers.push_back("```python\n" + wrong.code + "```");
  }
  const std::vector<EvalResult> results = judge("program", records, answers, 3);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(results[i].verdict, Verdict::kFail) << all[i].what;
    EXPECT_NE(results[i].reason, "bad_tests") << all[i].what << ": " << results[i].matched;
    if (std::getenv("SDFT_SHOW"))
      std::printf("%-20s %-40s %s\n", results[i].reason.c_str(), results[i].matched.c_str(),
                  all[i].what.c_str());
  }
  // And that these tests can pass.
  EXPECT_EQ(verdict("def f(x):\n    return x * x", {"assert f(2) == 4", "assert f(3) == 9"}), "");
}

// Cases of ../shared: the reference, the answer, whether it is right, tests.
TEST_F(ProgramTest, SharedProgramsThatTryToPass) {
  const auto dir = sdft::testing::shared_dir() / "faults/judge";
  REQUIRE_FIXTURE(dir);
  // What works and is harmless: to see that /usr/local is there, as all of /usr is for reading; its own two
  // pipes to the judge; a host name that the sandbox gives it.
  const std::vector<std::string> harmless = {"'/usr/local'", "fds=[]\nfor f in range(3,64)",
                                             "n=[]\nfor f in range(3,64)", "gethostname"};
  for (const char* name : {"sandbox_fooled", "sandbox_limits"}) {
    const Json spec = read_json(dir / (std::string(name) + ".json"));
    std::vector<Example> records;
    std::vector<std::string> answers;
    for (const Json& given : spec.at("cases")) {
      records.push_back(record({{"tests", given[3]}}));
      answers.push_back(given[1].get<std::string>());
    }
    const std::vector<EvalResult> results = judge("program", records, answers, 3);
    for (size_t i = 0; i < results.size(); ++i) {
      bool right = spec["cases"][i][2].get<bool>();
      for (const std::string& part : harmless) right = right || answers[i].find(part) != std::string::npos;
      EXPECT_EQ(results[i].score == 1, right) << name << ": " << answers[i] << "\n" << results[i].reason;
    }
  }
}

}  // namespace
}  // namespace sdft
