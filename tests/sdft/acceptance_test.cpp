#include "sdft/acceptance.h"

#include "base/error.h"
#include "testing.h"

namespace sdft {
namespace {

Rejection reason(const std::string& rewrite, const std::string& original, AnswerCheck check,
                 bool cut = false) {
  return judge_rewrite({rewrite, cut}, original, check).reason;
}

TEST(Acceptance, KeepsWhatKeepsTheAnswer) {
  EXPECT_EQ(reason("We add: 2 + 3 = 5. The answer is 5.", "5", AnswerCheck::kNumber), Rejection::kNone);
  EXPECT_EQ(reason("It is 6.", "5", AnswerCheck::kNumber), Rejection::kAnswerMismatch);
  EXPECT_EQ(reason("Here is the call: f(a='x', b=2)", "f(a=\"x\",b=2)", AnswerCheck::kFunctionCall),
            Rejection::kNone);
  EXPECT_EQ(reason("Here is the call: g(a=1)", "f(a=1)", AnswerCheck::kFunctionCall),
            Rejection::kAnswerMismatch);
  EXPECT_EQ(reason("Sure. The answer is red fox.", "red fox", AnswerCheck::kAnswer), Rejection::kNone);
  EXPECT_EQ(reason("anything", "else", AnswerCheck::kNone), Rejection::kNone);
}

TEST(Acceptance, Code) {
  EXPECT_EQ(reason("Here is it:\n```python\nx\n```", "y", AnswerCheck::kCode), Rejection::kNone);
  EXPECT_EQ(reason("Look:\n```python\nx\n```", "y", AnswerCheck::kCode), Rejection::kAnswerMismatch);
  EXPECT_EQ(reason("Here is it: x", "y", AnswerCheck::kCode), Rejection::kAnswerMismatch);
}

TEST(Acceptance, BannedPhrases) {
  for (const char* text : {"As the Reference Answer says", "This is my response", "your own response: 1",
                           "Now it's your turn!", "Your turn"})
    EXPECT_EQ(reason(text, "1", AnswerCheck::kNone), Rejection::kBannedPhrase) << text;
  EXPECT_EQ(reason("It is not Your turn yet", "1", AnswerCheck::kNone), Rejection::kNone);
}

TEST(Acceptance, EmptyCutAndLoop) {
  EXPECT_EQ(reason(" \n", "1", AnswerCheck::kNone), Rejection::kEmpty);
  EXPECT_EQ(reason("a long text", "1", AnswerCheck::kNone, true), Rejection::kCutByTokenLimit);
  std::string loop = "Well. ";
  for (int i = 0; i < 12; ++i) loop += "and again ";
  EXPECT_EQ(reason(loop, "1", AnswerCheck::kNone, true), Rejection::kRepetitionLoop);
  EXPECT_EQ(reason(loop, "1", AnswerCheck::kNone), Rejection::kRepetitionLoop);
}

TEST(Acceptance, TracesAreNotTheAnswer) {
  EXPECT_EQ(reason("<think>It is 5. My response will be long.</think>It is 6.", "5", AnswerCheck::kNumber),
            Rejection::kAnswerMismatch);
  EXPECT_EQ(reason("<think>It is 6. My response will be long.</think>It is 5.", "<think>4</think>5",
                   AnswerCheck::kNumber),
            Rejection::kNone);
  EXPECT_EQ(reason("<think>It is 5.", "5", AnswerCheck::kNumber), Rejection::kEmpty);
  EXPECT_EQ(reason("<think>It is 5.", "5", AnswerCheck::kNumber, true), Rejection::kCutByTokenLimit);
}

TEST(Acceptance, ShortRepeatsAreNoLoop) {
  EXPECT_FALSE(ends_in_loop("ha ha ha ha ha"));
  EXPECT_FALSE(ends_in_loop(""));
  EXPECT_TRUE(ends_in_loop(std::string(60, '.')));
  EXPECT_FALSE(ends_in_loop(std::string(59, '.')));
}

TEST(Acceptance, UnknownCheckGetsASuggestion) {
  try {
    parse_answer_check("nunber");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("number"), std::string::npos);
  }
}

}  // namespace
}  // namespace sdft
