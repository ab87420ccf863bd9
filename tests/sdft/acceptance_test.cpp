#include "sdft/acceptance.h"

#include "base/error.h"
#include "check/answer.h"
#include "testing.h"

namespace sdft {
namespace {

// Why a rewrite is rejected, or "".
std::string reason(const std::string& rewrite, const std::string& original, const std::string& check,
                   bool cut = false, const std::string& question = "") {
  Example example;
  example.id = "a";
  example.instruction = question;
  example.response = original;
  const EvalResult result =
      judge_rewrites(acceptance_checks(default_acceptance(), check), {check_item(example, rewrite, cut)})
          .at(0);
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

// What was accepted with answer_check: none before there was a list of checks.
TEST(Acceptance, NothingStrangeWithoutAnAnswerCheck) {
  const std::string question = "Name three things that a garden needs in the summer, and say why.";
  const std::string original =
      "A garden needs water, because the sun dries the soil, and it needs weeding and shade.";
  EXPECT_EQ(reason("It needs water and shade, for the sun is strong, and somebody who weeds it.", original,
                   "none", false, question),
            "");
  EXPECT_EQ(reason("I’m sorry, but I can’t help with that request.", original, "none", false, question),
            "refusal");
  EXPECT_EQ(reason("Your answer is correct and very well written!", original, "none", false, question),
            "banned_phrase");
  EXPECT_EQ(reason("der die Wasser und nicht auf dem Garten ist mit der Sonne für das auch ein", original,
                   "none", false, question),
            "language");
  EXPECT_EQ(reason("花园 需要 水 的 是 在 夏天 了 不 我 有 他 这 为 之", original, "none", false, question),
            "language");
  EXPECT_EQ(
      reason("water sun soil water soil sun sun water soil soil water sun water water soil sun soil water "
             "sun soil sun water soil water",
             original, "none", false, question),
      "repetition_loop");
}

TEST(Acceptance, TheListIsTheRecipes) {
  Example example;
  example.id = "a";
  example.response = "5";
  const CheckItem refusal = check_item(example, "I cannot answer your answer."),
                  phrase = check_item(example, "As the reference answer says: 5"),
                  cut = check_item(example, "5", true);
  auto result = [](const std::vector<std::string>& list, const CheckItem& item,
                   const std::string& last = "none") {
    return judge_rewrites(acceptance_checks(list, last), {item}).at(0).reason;
  };
  EXPECT_EQ(result({"none"}, refusal), "");
  EXPECT_EQ(result({"paper"}, refusal), "");
  EXPECT_EQ(result({"refusal"}, refusal), "refusal");
  EXPECT_EQ(result({"banned_phrase"}, refusal), "banned_phrase");
  EXPECT_EQ(result({"paper", "number"}, phrase), "banned_phrase");
  EXPECT_EQ(result({"number"}, phrase), "");
  EXPECT_EQ(result({"paper"}, cut), "");
  EXPECT_EQ(result({"number", "paper"}, refusal), "answer_mismatch");
  EXPECT_EQ(result({"none"}, refusal, "regex:\\d"), "answer_mismatch");
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
  const auto results = judge_rewrites(acceptance_checks(default_acceptance(), "number"), items);
  ASSERT_EQ(results.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(results[i].id, examples[i].id);
    EXPECT_EQ(results[i].reason, reasons[i]);
  }
}

TEST(Acceptance, UnknownCheckGetsASuggestion) {
  try {
    acceptance_checks({"empty", "similarty:0.5", "length_ratio"}, "nunber");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    for (const char* part : {"3 problems", "'similarity'", "length_ratio:LOW-HIGH", "'number'"})
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace sdft
