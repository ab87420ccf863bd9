#include "sdft/acceptance.h"

#include "base/error.h"
#include "check/answer.h"
#include "testing.h"

namespace sdft {
namespace {

// Why a rewrite is rejected, or "".
std::string reason(const std::string& rewrite, const std::string& original, const std::string& check,
                   bool cut = false) {
  Example example;
  example.id = "a";
  example.response = original;
  const EvalResult result =
      judge_rewrites(acceptance_checks(check), {check_item(example, rewrite, cut)}).at(0);
  EXPECT_EQ(result.id, "a");
  EXPECT_EQ(result.verdict == Verdict::kPass, result.reason.empty());
  return result.reason;
}

TEST(Acceptance, KeepsWhatKeepsTheAnswer) {
  EXPECT_EQ(reason("We add: 2 + 3 = 5. The answer is 5.", "5", "number"), "");
  EXPECT_EQ(reason("It is 6.", "5", "number"), "answer_mismatch");
  EXPECT_EQ(reason("Here is the call: f(a='x', b=2)", "f(a=\"x\",b=2)", "function_call"), "");
  EXPECT_EQ(reason("Here is the call: g(a=1)", "f(a=1)", "function_call"), "answer_mismatch");
  EXPECT_EQ(reason("Sure. The answer is red fox.", "red fox", "answer"), "");
  EXPECT_EQ(reason("anything", "else", "none"), "");
}

TEST(Acceptance, Code) {
  EXPECT_EQ(reason("Here is it:\n```python\nx\n```", "y", "code"), "");
  EXPECT_EQ(reason("Look:\n```python\nx\n```", "y", "code"), "answer_mismatch");
  EXPECT_EQ(reason("Here is it: x", "y", "code"), "answer_mismatch");
}

TEST(Acceptance, BannedPhrases) {
  for (const char* text : {"As the Reference Answer says", "This is my response", "your own response: 1",
                           "Now it's your turn!", "Your turn"})
    EXPECT_EQ(reason(text, "1", "none"), "banned_phrase") << text;
  EXPECT_EQ(reason("It is not Your turn yet", "1", "none"), "");
}

TEST(Acceptance, EmptyCutAndLoop) {
  EXPECT_EQ(reason(" \n", "1", "none"), "empty");
  EXPECT_EQ(reason("a long text", "1", "none", true), "cut_by_token_limit");
  std::string loop = "Well. ";
  for (int i = 0; i < 12; ++i) loop += "and again ";
  EXPECT_EQ(reason(loop, "1", "none", true), "repetition_loop");
  EXPECT_EQ(reason(loop, "1", "none"), "repetition_loop");
}

TEST(Acceptance, TracesAreNotTheAnswer) {
  EXPECT_EQ(reason("<think>It is 5. My response will be long.</think>It is 6.", "5", "number"),
            "answer_mismatch");
  EXPECT_EQ(
      reason("<think>It is 6. My response will be long.</think>It is 5.", "<think>4</think>5", "number"), "");
  EXPECT_EQ(reason("<think>It is 5.", "5", "number"), "empty");
  EXPECT_EQ(reason("<think>It is 5.", "5", "number", true), "cut_by_token_limit");
}

TEST(Acceptance, ShortRepeatsAreNoLoop) {
  EXPECT_FALSE(ends_in_loop("ha ha ha ha ha"));
  EXPECT_FALSE(ends_in_loop(""));
  EXPECT_TRUE(ends_in_loop(std::string(60, '.')));
  EXPECT_FALSE(ends_in_loop(std::string(59, '.')));
}

// Results belong to items by id, whichever check rejected them.
TEST(Acceptance, EachOfManyHasItsOwnResult) {
  const char* rewrites[] = {"It is 5.", "my response: 5", "It is 6.", "", "So it is 5."};
  const char* reasons[] = {"", "banned_phrase", "answer_mismatch", "empty", ""};
  std::vector<Example> examples(5);
  std::vector<CheckItem> items;
  for (size_t i = 0; i < 5; ++i) {
    examples[i].id = "e" + std::to_string(i);
    examples[i].response = "5";
  }
  for (size_t i = 0; i < 5; ++i) items.push_back(check_item(examples[i], rewrites[i]));
  const auto results = judge_rewrites(acceptance_checks("number"), items);
  ASSERT_EQ(results.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(results[i].id, examples[i].id);
    EXPECT_EQ(results[i].reason, reasons[i]);
  }
}

TEST(Acceptance, UnknownCheckGetsASuggestion) {
  try {
    acceptance_checks("nunber");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("number"), std::string::npos);
  }
}

}  // namespace
}  // namespace sdft
