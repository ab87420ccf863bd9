// Checks of what a rewrite has to keep: choices, texts, patterns, JSON.
#include <gtest/gtest.h>

#include <tuple>

#include "check/answer.h"
#include "check/check.h"

namespace sdft {
namespace {

bool agrees(const std::string& check, const std::string& reference, const std::string& answer) {
  Example example;
  example.id = "a";
  example.response = reference;
  const ChosenCheck chosen = parse_check(check, kAnswerCheck);
  const EvalResult result = judge(chosen, {check_item(example, answer)}).at(0);
  EXPECT_EQ(result.reason, result.verdict == Verdict::kPass ? "" : kMismatch);
  return result.verdict == Verdict::kPass;
}

bool judgeable(const std::string& check, const std::string& reference) {
  Example example;
  example.response = reference;
  return parse_check(check, kAnswerCheck).missing(check_item(example)).empty();
}

TEST(Choice, LettersInTheirSpellings) {
  for (const char* text : {"B",
                           "B.",
                           "(B)",
                           "b)",
                           "(b)",
                           "B) Paris",
                           "B. Paris",
                           "B: Paris",
                           "**B**",
                           "**B.** Paris",
                           "The answer is B.",
                           "The answer is (B) Paris.",
                           "So the correct option is B, because it is the capital.",
                           "Option B is right.",
                           "I think (B) is right, for (A) is no city and so it must be (B).",
                           "\\boxed{B}",
                           "<answer>B</answer>",
                           "Let us see. A is in Spain.\nAnswer: B",
                           "The correct choice is **B**.",
                           "The answer is option B.",
                           "The answer is B because Paris is the capital.",
                           "answer: (B)"})
    EXPECT_EQ(chosen_letter(text).value_or("-"), "B") << text;
  for (const char* text : {"", "Paris", "A cat sat on the mat.", "I like it.", "The answer is a cat.",
                           "Because.", "The answer is Paris.", "K)", "Be quick", "5"})
    EXPECT_FALSE(chosen_letter(text)) << text << " gave " << *chosen_letter(text);
  EXPECT_TRUE(agrees("choice", "(B)", "The answer is B."));
  EXPECT_FALSE(chosen_letter("The answer " + std::string(100000, '(')));
  EXPECT_FALSE(agrees("choice", "(B)", "The answer is C."));
  EXPECT_FALSE(agrees("choice", "(B)", "Paris"));
  EXPECT_FALSE(judgeable("choice", "Paris"));
}

TEST(Exact, ButForWhiteSpace) {
  EXPECT_TRUE(agrees("exact", " red fox\n", "\tred fox"));
  EXPECT_FALSE(agrees("exact", "red fox", "red  fox"));
  EXPECT_FALSE(agrees("exact", "red fox", "Red fox"));
  EXPECT_FALSE(judgeable("exact", " \n"));
}

TEST(Pattern, TheFirstGroupElseTheMatch) {
  EXPECT_TRUE(agrees("regex:^\\d+$", "5", "So:\n5\n"));
  EXPECT_FALSE(agrees("regex:^\\d+$", "5", "So 5"));
  EXPECT_TRUE(agrees("regex:(?i)label: (\\w+)", "Label: red", "I say\nLABEL: red, of course"));
  EXPECT_FALSE(agrees("regex:(?i)label: (\\w+)", "Label: red", "label: Red"));
  EXPECT_TRUE(agrees("regex:a(b)?", "a", "xa")) << "a group that took no part: the match";
  EXPECT_FALSE(agrees("regex:a(b)?", "a", "ab"));
  EXPECT_TRUE(agrees("regex:größe (?:\\d+) (?<unit>\\p{L}+)", "größe 3 äpfel", "die größe 4 äpfel"))
      << "named";
  EXPECT_FALSE(agrees("regex:\\d+", "5", "none"));
  EXPECT_FALSE(judgeable("regex:\\d+", "none"));
  EXPECT_TRUE(agrees("regex:\\d+", "5", "\xff 5")) << "not UTF-8";
}

TEST(JsonAnswer, ValuesNotSpellings) {
  const std::tuple<const char*, const char*, bool> cases[] = {
      {R"({"a": 1, "b": [1, 2]})", R"({"b":[1.0,2],"a":1})", true},
      {R"({"a": 1})", "Here it is:\n```json\n{\"a\": 1}\n```\nBye.", true},
      {R"({"a": 1})", "It is {\"a\": 1.0} of course.", true},
      {R"([1, 2])", "So: [1, 2]", true},
      {R"([1, 2])", "[2, 1]", false},
      {R"({"a": 1})", R"({"a": "1"})", false},
      {R"({"a": 1})", R"({"a": 1)", false},
      {R"({"a": null})", R"({})", false},
      {R"("x")", R"("x")", true},
      {R"({"a": 1})", "no", false}};
  for (const auto& [reference, answer, right] : cases)
    EXPECT_EQ(agrees("json", reference, answer), right) << answer;
  EXPECT_FALSE(judgeable("json", "no"));
  EXPECT_FALSE(agrees("json", "[1]", std::string(200000, '[')));
}

}  // namespace
}  // namespace sdft
