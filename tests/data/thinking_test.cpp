#include "data/thinking.h"

#include "data/code_points.h"
#include "testing.h"

namespace sdft {
namespace {

TEST(Thinking, TheTraceIsNotTheAnswer) {
  const std::pair<const char*, const char*> cases[] = {
      {"<think>\nIs it 4? No.\n</think>\n\nThe answer is 5.", "The answer is 5."},
      {"<think>\n\n</think>\n\n5", "5"},                    // Qwen3, not thinking
      {"Is it 4? No.\n</think>\n\n5", "5"},                 // DeepSeek-R1: the prompt opened it
      {"  \n<think>a</think><think>b</think> 5\n", "5\n"},  // twice
      {"[THINK]a[/THINK]5", "5"},
      {"<thought>a</thought>5", "5"},
      {"<seed:think>a</seed:think>5", "5"},
      {"<think>a <think> b</think>5", "5"},
      {"<think>The answer is 5.", ""},  // it never came
      {"<think>", ""},
      {"<think>a</think>", ""},
      {"a</think>", ""},
      {"<think>a</think>Use <think>b</think> tags.", "Use <think>b</think> tags."},
      {"Use <think>b</think> tags.", "Use <think>b</think> tags."},
      {" 5 ", " 5 "},
      {"think 5", "think 5"},
      {"<thinking", "<thinking"},
      {"", ""},
  };
  for (const auto& [text, answer] : cases) EXPECT_EQ(strip_thinking(text), answer) << text;
  EXPECT_EQ(strip_thinking("Is it 4?", true), "") << "the prompt opened a trace that did not end";
  EXPECT_EQ(strip_thinking("Is it 4?</think>5", true), "5");
  EXPECT_EQ(strip_thinking("<think>Is it 4?</think>5", true), "5");
}

TEST(CodePoints, RoundTripAndClasses) {
  EXPECT_EQ(to_utf8(code_points("a\xc3\xa9\xf0\x9f\x98\x80")), "a\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(code_points("\xff"
                        "a\xc3"),
            U"\uFFFDa\uFFFD");
  EXPECT_TRUE(is_space(0xa0) && is_space(0x3000) && is_space('\n') && is_space(0x1f));
  EXPECT_FALSE(is_space(0x200b) || is_space('a'));
  EXPECT_TRUE(is_word('_') && is_word(0xe9) && is_word(0x4e2d) && is_word(0xbd));
  EXPECT_FALSE(is_word('-') || is_word(0x2192));
  EXPECT_EQ(digit_value(0x1d7e3), 1);  // mathematical digits follow each other: 5 times 0-9
  EXPECT_EQ(digit_value(0xbd), std::nullopt);
  EXPECT_EQ(collapse_space(" \xc2\xa0 a \n\t b "), "a b");
}

}  // namespace
}  // namespace sdft
