#include "eval/task.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "data/answer.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Example example(const std::string& id, const std::string& response, Json fields = Json::object()) {
  Example made;
  made.id = id;
  made.instruction = "?";
  made.response = response;
  made.fields = std::move(fields);
  return made;
}

template <typename F>
std::string fault_of(ExitCode code, F&& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

bool sandbox_works() {
  try {
    run_python({"pass"});
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Check, Names) {
  for (const std::string& name : check_names()) EXPECT_EQ(check_name(parse_check(name)), name);
  EXPECT_EQ(check_names().size(), 6u);
  EXPECT_THAT(fault_of(ExitCode::kUsage, [] { parse_check("numbr"); }), HasSubstr("did you mean 'number'?"));
  EXPECT_THAT(fault_of(ExitCode::kUsage, [] { parse_check("zzzzzzzzz"); }), HasSubstr("function_call"));
}

TEST(Judge, Number) {
  std::vector<Example> examples(4, example("a", "So 5 * 216 = 1,080.\nThe answer is 1080."));
  EXPECT_THAT(judge(Check::kNumber, examples, {"1080", "I get 1,080.0 in all", "1081", "none"}),
              ElementsAre(true, true, false, false));
}

TEST(Judge, FunctionCall) {
  std::vector<Example> examples(3, example("a", "town.find(name=\"Ost\", n=2)"));
  EXPECT_THAT(judge(Check::kFunctionCall, examples,
                    {"Sure: town.find(name='Ost',  n=2).", "town.find(name='Ost')", ""}),
              ElementsAre(true, false, false));
}

TEST(Judge, AnswerInWordsTerseOrNot) {
  std::vector<Example> wordy(6, example("a", "It lies by the sea. The answer is the  harbour of Ost."));
  EXPECT_THAT(
      judge(Check::kAnswer, wordy,
            {"the harbour of Ost", " the harbour\nof Ost. ", "Well. The answer is the harbour of Ost. Bye.",
             "The harbour of Ost", "It is not the harbour of Ost", ""}),
      ElementsAre(true, true, true, false, false, false));
  std::vector<Example> terse(2, example("b", "red."));
  EXPECT_THAT(judge(Check::kAnswer, terse, {"The answer is red.", "The answer is blue."}),
              ElementsAre(true, false));
  std::vector<Example> bare(3, example("c", "The mayor of Ost is Ann.", {{"answer", "Ann"}}));
  EXPECT_THAT(judge(Check::kAnswer, bare,
                    {"The answer is Ann.", "The mayor of Ost is Ann.", "The mayor of Ost is Bo."}),
              ElementsAre(true, true, false));
}

TEST(Judge, Refusal) {
  std::vector<Example> examples(2, example("a", ""));
  EXPECT_THAT(judge(Check::kRefusal, examples, {"I'm sorry, but no.", "Sure, here is"}),
              ElementsAre(true, false));
}

TEST(Judge, WithoutTheTrace) {
  const std::vector<Example> examples(4, example("a", "<think>6?</think>The answer is 5."));
  EXPECT_THAT(
      judge(Check::kAnswer, examples,
            {"<think>6?</think>5", "The answer is 5.</think>6", "<think>The answer is 5.", "<think>5"}),
      ElementsAre(true, false, false, false));
  EXPECT_THAT(
      judge(Check::kNumber, examples, {"5</think>so: 5", "5</think>none", "<think>5", "<think>6</think>5"}),
      ElementsAre(true, false, false, true));
  EXPECT_THAT(
      judge(Check::kRefusal, examples,
            {"<think>illegal?</think>Sure, here", "<think>Fine.</think>I'm sorry", "", "<think>illegal"}),
      ElementsAre(false, true, false, false));
  EXPECT_THROW(require_judgeable(Check::kAnswer, {example("e", "<think>5</think>")}), Error);
}

// An interrupt ends the programs that run, not only the waiting for them.
TEST(Judge, StopsWhenInterrupted) {
  if (!sandbox_works()) GTEST_SKIP() << "no sandbox here";
  const std::vector<Example> examples(50, example("a", "", {{"tests", {"f()"}}}));
  const std::vector<std::string> answers(50, "def f():\n    while True: pass");
  SandboxOptions sandbox;
  sandbox.seconds = 1000;
  std::thread user([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    interrupted = true;
  });
  fault_of(ExitCode::kInterrupted, [&] { judge(Check::kProgram, examples, answers, sandbox); });
  fault_of(ExitCode::kInterrupted, [&] { judge(Check::kNumber, {example("a", "1")}, {"1"}); });
  user.join();
  interrupted = false;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a program is left";
}

TEST(Judge, NoneAndUnequalNumbers) {
  EXPECT_TRUE(judge(Check::kNone, {example("a", "x")}, {"y"}).empty());
  EXPECT_TRUE(judge(Check::kNumber, {}, {}).empty());
  EXPECT_THROW(judge(Check::kNumber, {example("a", "1")}, {}), std::logic_error);
}

TEST(Judge, ProgramsAreReallyRun) {
  if (!sandbox_works()) GTEST_SKIP() << "no sandbox here";
  const Json fields = {{"tests", {"assert add(1, 2) == 3", "assert add(-1, 1) == 0"}}};
  std::vector<Example> examples(8, example("a", "def add(a, b):\n    return a + b", fields));
  SandboxOptions sandbox;
  sandbox.seconds = 1;
  EXPECT_THAT(
      judge(Check::kProgram, examples,
            {"def add(a, b):\n    return a + b",
             "Here:\n```python\ndef add(a, b):\n    return b + a\n```\nDone.", "def add(a, b):\n    return 3",
             "def add(a, b):\n    return a +", "I cannot write that.", "",
             "import sys\ndef add(a, b):\n    sys.exit(0)", "def add(a, b):\n    while True: pass"},
            sandbox),
      ElementsAre(true, true, false, false, false, false, false, false));
}

// Own cases beside those of ../shared: the reference, the answer, whether it is right, tests.
TEST(Judge, SharedCasesOfTheFaults) {
  const auto dir = sdft::testing::shared_dir() / "faults/judge";
  REQUIRE_FIXTURE(dir);
  SandboxOptions sandbox;
  sandbox.seconds = 2;
  for (const char* name : {"answer", "program"}) {
    const Json spec = read_json(dir / (std::string(name) + ".json"));
    const Check check = parse_check(spec.at("check").get<std::string>());
    if (check == Check::kProgram && !sandbox_works()) continue;
    std::vector<Example> examples;
    std::vector<std::string> answers;
    for (const Json& given : spec.at("cases")) {
      const Json fields = given.size() > 3 ? Json{{"tests", given[3]}} : Json::object();
      examples.push_back(example(std::to_string(examples.size()), given[0].get<std::string>(), fields));
      answers.push_back(given[1].get<std::string>());
    }
    ASSERT_GT(examples.size(), 10u);
    const std::vector<bool> right = judge(check, examples, answers, sandbox);
    for (size_t i = 0; i < right.size(); ++i)
      EXPECT_EQ(right[i], spec["cases"][i][2].get<bool>()) << name << ": " << spec["cases"][i].dump();
  }
}

TEST(Judge, AnswersHoweverTheyAreWritten) {
  const std::tuple<const char*, const char*, bool> cases[] = {
      {"The answer is Dr. No.", "The answer is Dr. Yes.", false},
      {"The answer is J. Smith.", "The answer is J. Jones.", false},
      {"The answer is St. Paul.", "St. Louis", false},
      {"The answer is No. 5.", "The answer is No. 6.", false},
      {"The answer is x != 1.", "The answer is x != 2.", false},
      {"The answer is Dr. No.", "So the answer is Dr. No. It is a film.", true},
      {"5", "Many think the answer is 5. It is 6.", false},
      {"Paris", "**Answer:** Paris!", true},
      {"1080", "The final answer is 1,080.", true},
      {"5", "\\boxed{5}", true},
      {"init", "The answer is __init__.", false},
      {"Paris", "The answer is Paris, which is in France.", true},
  };
  for (const auto& [reference, answer, right] : cases)
    EXPECT_THAT(judge(Check::kAnswer, {example("a", reference)}, {answer}), ElementsAre(right)) << answer;
  EXPECT_THAT(judge(Check::kAnswer, {example("a", "It is 5.", {{"answer", ""}})}, {"."}), ElementsAre(false));
}

TEST(Judgeable, NamesWhatCannotBeJudged) {
  std::vector<Example> examples = {example("good", "4"), example("bad", "no number"), example("half", "2.5")};
  std::string message = fault_of(ExitCode::kInput, [&] { judge(Check::kNumber, examples, {"4", "4", "4"}); });
  EXPECT_THAT(message, HasSubstr("2 of 3 examples cannot be judged"));
  EXPECT_THAT(message, HasSubstr("example 'bad': the reference answer does not end in an integer"));
  EXPECT_THAT(message, HasSubstr("example 'half'"));
  EXPECT_THAT(message, Not(HasSubstr("'good'")));
  for (Json tests : {Json(), Json::array(), Json("assert True"), Json({1})}) {
    std::vector<Example> programs = {example("p", "def f(): pass", {{"tests", tests}})};
    EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable(Check::kProgram, programs); }),
                HasSubstr("example 'p': field 'tests'"));
  }
  for (Json tests : {Json({""}), Json({" \n\t\r\n", "# a comment"}), Json({"pass  # for now"}),
                     Json({"pass; pass"}), Json({"import math", "from a import b", "..."})}) {
    std::vector<Example> programs = {example("idle", "def f(): pass", {{"tests", tests}})};
    EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable(Check::kProgram, programs); }),
                HasSubstr("example 'idle': field 'tests': no line can fail"));
  }
  for (Json tests : {Json({"", "assert f()"}), Json({"import math; f()"}), Json({"pass\nf()"}),
                     Json({"passed(f)"}), Json({"check(f)"})})
    EXPECT_NO_THROW(require_judgeable(Check::kProgram, {example("p", "", {{"tests", tests}})})) << tests;
  EXPECT_THROW(require_judgeable(Check::kFunctionCall, {example("f", "no call")}), Error);
  EXPECT_THROW(require_judgeable(Check::kAnswer, {example("e", " . ")}), Error);
  EXPECT_NO_THROW(require_judgeable(Check::kRefusal, {example("r", "")}));
  std::vector<Example> many(30, example("m", ""));
  EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable(Check::kNumber, many); }),
              HasSubstr("and 10 more"));
}

TEST(CheckOf, OneForTheSet) {
  EXPECT_EQ(check_of({}), Check::kNone);
  EXPECT_EQ(check_of({example("a", "x")}), Check::kNone);
  EXPECT_EQ(check_of({example("a", "x", {{"check", "number"}}), example("b", "x", {{"check", "number"}})}),
            Check::kNumber);
  EXPECT_THAT(fault_of(ExitCode::kInput,
                       [] {
                         check_of({example("a", "x", {{"check", "number"}}), example("b", "x")});
                       }),
              HasSubstr("example 'b': field 'check'"));
}

// The paper's own reference answers must be judgeable, and right when given as answers.
TEST(SharedTasks, ReferencesJudgeThemselvesRight) {
  const auto dir = sdft::testing::shared_dir() / "data";
  REQUIRE_FIXTURE(dir);
  const std::pair<const char*, Check> tasks[] = {{"gsm8k_test", Check::kNumber},
                                                 {"gsm8k_train", Check::kNumber},
                                                 {"multiarith_test", Check::kNumber},
                                                 {"openfunction_test", Check::kFunctionCall},
                                                 {"openfunction_train", Check::kFunctionCall},
                                                 {"multiarith_test", Check::kAnswer}};
  for (const auto& [name, check] : tasks) {
    const Dataset data = read_dataset_by_name(dir, name);
    std::vector<std::string> answers;
    for (const Example& task : data.examples) answers.push_back(task.response);
    std::vector<bool> right = judge(check, data.examples, answers);
    EXPECT_EQ(static_cast<size_t>(std::count(right.begin(), right.end(), true)), right.size()) << name;
    std::rotate(answers.begin(), answers.begin() + 1, answers.end());
    right = judge(check, data.examples, answers);
    EXPECT_LT(static_cast<size_t>(std::count(right.begin(), right.end(), true)), right.size() / 5) << name;
  }
}

}  // namespace
}  // namespace sdft
