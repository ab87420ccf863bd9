#include "check/check.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <tuple>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
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
    require_sandbox();
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Whether each answer passes a task's check.
std::vector<bool> judge(const std::string& check, const std::vector<Example>& examples,
                        const std::vector<std::string>& answers, const SandboxOptions& sandbox = {}) {
  std::vector<CheckItem> items;
  for (size_t i = 0; i < examples.size(); ++i) items.push_back(check_item(examples[i], answers[i]));
  std::vector<bool> right;
  for (const EvalResult& result : judge(parse_check(check, kTaskCheck), items, {sandbox})) {
    EXPECT_EQ(result.score, result.verdict == Verdict::kPass ? 1 : 0);
    EXPECT_EQ(result.reason.empty(), result.verdict == Verdict::kPass);
    right.push_back(result.verdict == Verdict::kPass);
  }
  return right;
}

void require_judgeable(const std::string& check, const std::vector<Example>& examples) {
  sdft::require_judgeable(parse_check(check, kTaskCheck), examples);
}

std::string reason_of(const std::string& check, const Example& example, const std::string& answer,
                      const SandboxOptions& sandbox = {}) {
  return judge(parse_check(check, kTaskCheck), {check_item(example, answer)}, {sandbox}).at(0).reason;
}

constexpr unsigned kAnywhere = kAcceptance | kAnswerCheck | kTaskCheck | kBetweenModels;

TEST(Registry, NamesAreKnownWhereTheyMayStand) {
  EXPECT_THAT(check_names(kTaskCheck),
              ElementsAre("none", "number", "final_number", "function_call", "call", "bfcl", "choice",
                          "exact", "answer", "regex", "json", "program", "refusal", "declined",
                          "instructions", "f1", "squad_exact", "rouge1", "rouge2", "rougeL", "rougeLsum"));
  EXPECT_THAT(check_names(kAnswerCheck),
              ElementsAre("none", "number", "final_number", "function_call", "call", "choice", "code",
                          "exact", "answer", "regex", "json", "program"));
  for (const std::string& name : check_names(kAnswerCheck))
    EXPECT_THAT(check_names(kAcceptance), ::testing::Contains(name));
  EXPECT_STREQ(parse_check("number", kTaskCheck).check->name, "number");
  EXPECT_THAT(check_list(kAcceptance), HasSubstr("banned_phrase[:FILE] "));
}

TEST(Registry, NamesAndArgumentsThatAreWrongAreNamed) {
  const std::tuple<const char*, unsigned, const char*> cases[] = {
      {"numbr", kTaskCheck, "did you mean 'number'?"},
      {"zzzzzzzzz", kTaskCheck, "function_call"},
      {"repetition_loop", kAcceptance, "did you mean 'repetition'?"},
      {"cut_by_token_limit", kAcceptance, "did you mean 'token_limit'?"},
      {"language", kAnswerCheck, "cannot stand here"},
      {"similarity:0.5", kTaskCheck, "cannot stand here"},
      {"", kAcceptance, "unknown check ''"},
      {":x", kAcceptance, "unknown check ''"},
      {"number:5", kAnswerCheck, "'number' takes no argument"},
      {"number:", kAnswerCheck, "'number' takes no argument"},
      {"refusal:x", kTaskCheck, "takes no argument"},
      {"regex", kAnswerCheck, "regex:PATTERN"},
      {"regex:", kAnswerCheck, "regex:PATTERN"},
      {"regex:(", kAnswerCheck, "not understood"},
      {"regex:\xff", kAnswerCheck, "not UTF-8"},
      {"banned_phrase:", kAcceptance, "banned_phrase[:FILE]"},
      {"banned_phrase:/nowhere/at all", kAcceptance, "/nowhere/at all"},
      {"length_ratio:3", kAcceptance, "length_ratio:LOW-HIGH"},
      {"length_ratio:4-0.3", kAcceptance, "as 0.3-4"},
      {"length_ratio:-1-4", kAcceptance, "as 0.3-4"},
      {"length_ratio:1--4", kAcceptance, "as 0.3-4"},
      {"length_ratio:0.3-4x", kAcceptance, "as 0.3-4"},
      {"length_ratio:.-.", kAcceptance, "as 0.3-4"},
      {"similarity", kAcceptance, "similarity:MIN"},
      {"similarity:1.5", kAcceptance, "0 to 1"},
      {"similarity:nan", kAcceptance, "0 to 1"},
      {"similarity:-0.1", kAcceptance, "0 to 1"},
      {"seed_judge:0.5.5", kAcceptance, "0 to 1"},
      {"seed_judge:.", kAcceptance, "0 to 1"}};
  for (const auto& [text, use, part] : cases) {
    const auto& one = text;
    const unsigned where = use;
    EXPECT_THAT(fault_of(ExitCode::kUsage, [&] { parse_check(one, where); }), HasSubstr(part)) << text;
    EXPECT_THAT(fault_of_check(text, use), HasSubstr(part));
  }
  for (const char* text :
       {"length_ratio:0-1", "length_ratio:0.3-4", "similarity:0", "seed_judge:1", "regex::"})
    EXPECT_EQ(fault_of_check(text, kAcceptance), "") << text;
}

// One right and one wrong answer for each row, through one call.
TEST(Registry, EveryRowTellsRightFromWrong) {
  struct Case {
    const char *right, *wrong;
    bool cut;  // the wrong one
    const char* argument = "";
  };
  const std::map<std::string, Case> cases = {
      {"banned_phrase", {"5", "As my response: 5", false}},
      {"empty", {"5", " ", false}},
      {"paper", {"5", "As my response: 5", false}},
      {"repetition", {"5", "55555555555555555555555555555555555555555555555555555555555555", false}},
      {"token_limit", {"f(5)", "f(5)", true}},
      {"language", {"So f(5) is it.", "Это совсем другой язык, и письмо другое.", false}},
      {"length_ratio", {"f(5)!", "f(5) and on and on", false, ":0.5-2"}},
      {"choice", {"The answer is B.", "The answer is C.", false}},
      {"exact", {" f(5)\n", "f(6)", false}},
      {"regex", {"So f(5).", "So f(6).", false, ":f\\((\\d)\\)"}},
      {"json", {"```json\n[5.0]\n```", "[6]", false}},
      {"seed_judge", {"f(5)", "f(6)", false, ":0.5"}},
      {"number", {"It is 5.", "It is 6.", false}},
      {"function_call", {"So f(5).", "So g(5).", false}},
      {"code", {"Here is it:\n```python\nf(5)\n```", "f(5)", false}},
      {"answer", {"The answer is f(5).", "The answer is f(6).", false}},
      {"program", {"def f(): pass", "def g(): pass", false}},
      {"similarity", {"f(5)", "something else", false, ":0.5"}},
      {"final_number", {"It is 5.0.", "It is 5.5.", false}},
      {"call", {"So f( 5 ).", "So f(6).", false}},
      {"bfcl", {"f(x=5)", "f(x=6)", false}},
      {"declined", {"I'm sorry, but I can't help.", "Sure: 5", false}},
      {"instructions", {"5", "5, or more", false}},
      {"f1", {"The F(5)!", "6", false}},
      {"squad_exact", {"the f(5).", "6", false}},
      {"rouge1", {"f 5", "6", false}},
      {"rouge2", {"f 5", "5 f", false}},
      {"rougeL", {"f 5", "6", false}},
      {"rougeLsum", {"f 5", "6", false}},
      {"bleu4", {"f(5)", "something else", false}}};
  const Case refusals[] = {{"I'm sorry, no.", "Sure: 5", false},
                           {"Sure: 5", "I'm sorry, but I can't help.", false}};
  const Json fields = {
      {"tests", {"f()"}},
      {"function",
       {{{"name", "f"},
         {"parameters", {{"properties", {{"x", {{"type", "integer"}}}}}, {"required", Json::array()}}}}}},
      {"ground_truth", Json::array({{{"f", {{"x", {5}}}}}})},
      {"instruction_id_list", {"punctuation:no_comma"}},
      {"kwargs", {Json::object()}}};
  const Example reference = example("a", "f(5)", fields);
  for (const Check* check : checks_for(kAnywhere)) {
    SCOPED_TRACE(check->name);
    if (check->needs & kNeedsSandbox && !sandbox_works()) continue;
    if (std::string(check->name) == "none") {
      EXPECT_TRUE(judge(parse_check("none", kTaskCheck), {check_item(reference, "5")}).empty());
      continue;
    }
    const std::string name = check->name;
    const bool refusal = name == "refusal";
    ASSERT_TRUE(refusal || cases.count(name)) << "a row without a case here";
    const Case& one = refusal ? refusals[check->uses & kTaskCheck ? 0 : 1] : cases.at(name);
    const std::string answer = name == "number" || name == "final_number" ? "5"
                               : name == "choice"                         ? "(B)"
                               : name == "json"                           ? "[5]"
                                                                          : "f(5)";
    const Example own = example("b", answer, fields);
    const ChosenCheck chosen =
        parse_check(name + (*check->takes && check->uses != kBetweenModels ? one.argument : ""), check->uses);
    EXPECT_EQ(chosen.check, check);
    EXPECT_EQ(chosen.missing(check_item(own)), "");
    EXPECT_NE(std::string(check->help), "");
    JudgeOptions options;
    options.probability_of_yes = [](const auto&) { return std::vector<double>{0.9, 0.125}; };
    const auto results =
        judge(chosen, {check_item(own, one.right), check_item(own, one.wrong, one.cut)}, options);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_EQ(results[0].id, "b");
    EXPECT_GT(results[0].score, results[1].score);
    if (results[0].verdict == Verdict::kGraded) continue;
    EXPECT_EQ(results[0].verdict, Verdict::kPass);
    EXPECT_EQ(results[1].verdict, Verdict::kFail);
    EXPECT_EQ(results[0].reason, "");
    EXPECT_NE(results[1].reason, "");
  }
}

TEST(Result, GoesThroughAFile) {
  for (const EvalResult& result :
       {EvalResult{"a", Verdict::kPass, 1, ""}, EvalResult{"b", Verdict::kFail, 0, "why"},
        EvalResult{"b", Verdict::kFail, 0, "why", "6 instead of 5"}, EvalResult{"c", Verdict::kGraded, 1, ""},
        EvalResult{"d", Verdict::kGraded, 0.25, ""}}) {
    const EvalResult again = result_from_json(Json::parse(to_json(result).dump()), "here");
    EXPECT_EQ(again.id, result.id);
    EXPECT_EQ(again.verdict, result.verdict);
    EXPECT_EQ(again.score, result.score);
    EXPECT_EQ(again.reason, result.reason);
    EXPECT_EQ(again.matched, result.matched);
  }
  EXPECT_EQ(to_json({"a", Verdict::kPass, 1, ""}).dump(), R"({"id":"a","score":1})");
  const Json none = to_json(unanswered("a", "prompt_too_long"));
  EXPECT_EQ(none.dump(), R"({"id":"a","verdict":"unanswered","reason":"prompt_too_long"})");
  const EvalResult again = result_from_json(none, "here");
  EXPECT_EQ(again.verdict, Verdict::kUnanswered);
  EXPECT_EQ(again.reason, "prompt_too_long");
  EXPECT_TRUE(std::isnan(again.score)) << "it is in no mean";
  for (const char* text : {R"({"id":"a","score":0.5})", R"({"id":"a","score":2,"verdict":"graded"})",
                           R"({"id":"a","score":1,"verdict":"odd"})", R"({"id":"a"})",
                           R"({"id":"a","score":0,"verdict":"unanswered"})"})
    fault_of(ExitCode::kInput, [&] { result_from_json(Json::parse(text), "here"); });
}

TEST(Judge, Number) {
  std::vector<Example> examples(4, example("a", "So 5 * 216 = 1,080.\nThe answer is 1080."));
  EXPECT_THAT(judge("number", examples, {"1080", "I get 1,080.0 in all", "1081", "none"}),
              ElementsAre(true, true, false, false));
}

TEST(Judge, FunctionCall) {
  std::vector<Example> examples(3, example("a", "town.find(name=\"Ost\", n=2)"));
  EXPECT_THAT(
      judge("function_call", examples, {"Sure: town.find(name='Ost',  n=2).", "town.find(name='Ost')", ""}),
      ElementsAre(true, false, false));
}

TEST(Judge, AnswerInWordsTerseOrNot) {
  std::vector<Example> wordy(6, example("a", "It lies by the sea. The answer is the  harbour of Ost."));
  EXPECT_THAT(
      judge("answer", wordy,
            {"the harbour of Ost", " the harbour\nof Ost. ", "Well. The answer is the harbour of Ost. Bye.",
             "The harbour of Ost", "It is not the harbour of Ost", ""}),
      ElementsAre(true, true, true, false, false, false));
  std::vector<Example> terse(2, example("b", "red."));
  EXPECT_THAT(judge("answer", terse, {"The answer is red.", "The answer is blue."}),
              ElementsAre(true, false));
  std::vector<Example> bare(3, example("c", "The mayor of Ost is Ann.", {{"answer", "Ann"}}));
  EXPECT_THAT(
      judge("answer", bare, {"The answer is Ann.", "The mayor of Ost is Ann.", "The mayor of Ost is Bo."}),
      ElementsAre(true, true, false));
}

TEST(Judge, Refusal) {
  std::vector<Example> examples(2, example("a", ""));
  EXPECT_THAT(judge("refusal", examples, {"I'm sorry, but no.", "Sure, here is"}), ElementsAre(true, false));
}

TEST(Judge, WithoutTheTrace) {
  const std::vector<Example> examples(4, example("a", "<think>6?</think>The answer is 5."));
  EXPECT_THAT(
      judge("answer", examples,
            {"<think>6?</think>5", "The answer is 5.</think>6", "<think>The answer is 5.", "<think>5"}),
      ElementsAre(true, false, false, false));
  EXPECT_THAT(judge("number", examples, {"5</think>so: 5", "5</think>none", "<think>5", "<think>6</think>5"}),
              ElementsAre(true, false, false, true));
  EXPECT_THAT(
      judge("refusal", examples,
            {"<think>illegal?</think>Sure, here", "<think>Fine.</think>I'm sorry", "", "<think>illegal"}),
      ElementsAre(false, true, false, false));
  EXPECT_THROW(require_judgeable("answer", {example("e", "<think>5</think>")}), Error);
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
  fault_of(ExitCode::kInterrupted, [&] { judge("program", examples, answers, sandbox); });
  fault_of(ExitCode::kInterrupted, [&] { judge("number", {example("a", "1")}, {"1"}); });
  user.join();
  interrupted = false;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a program is left";
}

TEST(Judge, NothingToJudge) {
  EXPECT_TRUE(judge("none", {example("a", "x")}, {"y"}).empty());
  EXPECT_TRUE(judge("number", {}, {}).empty());
}

TEST(Judge, ProgramsSayWhyTheyAreWrong) {
  if (!sandbox_works()) GTEST_SKIP() << "no sandbox here";
  const Example one = example("a", "", {{"tests", {"f()"}}});
  SandboxOptions sandbox;
  sandbox.seconds = 1;
  EXPECT_EQ(reason_of("program", one, "I cannot.", sandbox), "no_program");
  EXPECT_EQ(reason_of("program", one, "def f(): raise ValueError", sandbox), "tests_failed");
  EXPECT_EQ(reason_of("program", one, "def f():\n    while True: pass", sandbox), "timed_out");
  EXPECT_EQ(reason_of("program", one, "import os\ndef f(): os._exit(1)", sandbox), "crashed");
  EXPECT_EQ(reason_of("program", example("a", "x"), "def f(): pass", sandbox), "no_tests");
}

TEST(Judge, ProgramsAreReallyRun) {
  if (!sandbox_works()) GTEST_SKIP() << "no sandbox here";
  const Json fields = {{"tests", {"assert add(1, 2) == 3", "assert add(-1, 1) == 0"}}};
  std::vector<Example> examples(8, example("a", "def add(a, b):\n    return a + b", fields));
  SandboxOptions sandbox;
  sandbox.seconds = 1;
  EXPECT_THAT(
      judge("program", examples,
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
    const std::string check = spec.at("check");
    if (check == "program" && !sandbox_works()) continue;
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
    EXPECT_THAT(judge("answer", {example("a", reference)}, {answer}), ElementsAre(right)) << answer;
  EXPECT_THAT(judge("answer", {example("a", "It is 5.", {{"answer", ""}})}, {"."}), ElementsAre(false));
}

TEST(Judgeable, NamesWhatCannotBeJudged) {
  std::vector<Example> examples = {example("good", "4"), example("bad", "no number"), example("half", "2.5")};
  std::string message = fault_of(ExitCode::kInput, [&] { require_judgeable("number", examples); });
  EXPECT_THAT(message, HasSubstr("2 of 3 examples cannot be judged"));
  EXPECT_THAT(message, HasSubstr("example 'bad': the reference answer does not end in an integer"));
  EXPECT_THAT(message, HasSubstr("example 'half'"));
  EXPECT_THAT(message, Not(HasSubstr("'good'")));
  for (Json tests : {Json(), Json::array(), Json("assert True"), Json({1})}) {
    std::vector<Example> programs = {example("p", "def f(): pass", {{"tests", tests}})};
    EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable("program", programs); }),
                HasSubstr("example 'p': field 'tests'"));
  }
  for (Json tests : {Json({""}), Json({" \n\t\r\n", "# a comment"}), Json({"pass  # for now"}),
                     Json({"pass; pass"}), Json({"import math", "from a import b", "..."})}) {
    std::vector<Example> programs = {example("idle", "def f(): pass", {{"tests", tests}})};
    EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable("program", programs); }),
                HasSubstr("example 'idle': field 'tests': no line can fail"));
  }
  for (Json tests : {Json({"", "assert f()"}), Json({"import math; f()"}), Json({"pass\nf()"}),
                     Json({"passed(f)"}), Json({"check(f)"})})
    EXPECT_NO_THROW(require_judgeable("program", {example("p", "", {{"tests", tests}})})) << tests;
  EXPECT_THROW(require_judgeable("function_call", {example("f", "no call")}), Error);
  EXPECT_THROW(require_judgeable("answer", {example("e", " . ")}), Error);
  EXPECT_NO_THROW(require_judgeable("refusal", {example("r", "")}));
  std::vector<Example> many(30, example("m", ""));
  EXPECT_THAT(fault_of(ExitCode::kInput, [&] { require_judgeable("number", many); }),
              HasSubstr("and 10 more"));
}

// The paper's own reference answers must be judgeable, and right when given as answers.
TEST(SharedTasks, ReferencesJudgeThemselvesRight) {
  const auto dir = sdft::testing::shared_dir() / "data";
  REQUIRE_FIXTURE(dir);
  const std::pair<const char*, const char*> tasks[] = {{"gsm8k_test", "number"},
                                                       {"gsm8k_train", "number"},
                                                       {"multiarith_test", "number"},
                                                       {"openfunction_test", "function_call"},
                                                       {"openfunction_train", "function_call"},
                                                       {"multiarith_test", "answer"}};
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
