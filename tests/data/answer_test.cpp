#include "data/answer.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "base/json.h"
#include "base/random.h"
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

TEST(LastNumber, CanonicalIntegers) {
  const std::pair<const char*, const char*> cases[] = {
      {"-3", "-3"},
      {"1,234", "1234"},
      {"$5,000.", "5000"},
      {"2.0", "2"},
      {"2.000", "2"},
      {"00012", "12"},
      {"-0", "0"},
      {"-000", "0"},
      {"x=-7.", "-7"},
      {"2024-10-08", "-8"},
      {"1 2 3.0", "123"},
      {"1, 2, 3", "3"},
      {"1.2.3", "3"},
      {".5", "5"},
      {"1e5", "5"},
      {"\xef\xbc\x91\xef\xbc\x92", "12"},  // full-width digits
      {"\xd9\xa3", "3"},                   // Arabic-Indic
      {"10 - 3 = 7", "7"},
      {"#### 1,080\nsome words", "1080"},
      {"999999999999999999999999999999", "999999999999999999999999999999"},
      {"bad \xff byte 4 \xc3", "4"},
  };
  for (const auto& [text, number] : cases) EXPECT_EQ(last_number(text), number) << text;
  for (const char* text : {"", "no number", "3.14", "4.50", "7 then 3.0000000000000000000001", "\xc2\xbd",
                           "12\n34", "-", ".", "1\t2"})
    EXPECT_EQ(last_number(text), std::nullopt) << text;
}

TEST(LastNumber, AsTheReferenceReadsIt) {
  const auto path = sdft::testing::fixture("eval/sdft_reference/find_last_integer.json");
  REQUIRE_FIXTURE(path);
  const Json fixture = read_json(path);
  for (const Json& entry : fixture["cases"]) {
    const std::string text = entry["text"], found = entry["find_last_integer"];
    // Its integers are compared as int(found) does; "12\n34" it cannot convert, -999999999 means none.
    const bool none = found == "-999999999" || found.find('\n') != std::string::npos;
    EXPECT_EQ(last_number(text).has_value(), !none) << text;
    if (!none && (found[0] & 0x80) == 0 && found.size() < 18) {
      EXPECT_EQ(std::stoll(last_number(text).value()), std::stoll(found)) << text;
    }
  }
}

TEST(LastNumber, SolutionsJudgedAsTheReferenceDoes) {
  const auto path = sdft::testing::fixture("eval/sdft_reference/math.json");
  REQUIRE_FIXTURE(path);
  size_t right = 0, count = 0;
  const Json fixture = read_json(path);
  for (const Json& entry : fixture["cases"]) {
    auto label = last_number(entry["label"].get<std::string>());
    auto answer = last_number(entry["predict"].get<std::string>());
    bool agree = label && answer && *label == *answer;
    EXPECT_EQ(agree, entry["check_math"].get<bool>()) << entry["predict"];
    right += agree;
    ++count;
  }
  EXPECT_EQ(count, 300u);
  EXPECT_GT(right, 50u);
  EXPECT_LT(right, 250u);
}

TEST(FunctionCall, SpacesAndQuotesAreEvenedOut) {
  const char* reference = "shop.find(location=\"San Francisco\", tags=['a', 'b'], n=2)";
  EXPECT_TRUE(function_call_matches(reference, reference));
  EXPECT_TRUE(function_call_matches(
      reference, "Sure:\n```\nshop.find(location='San  Francisco',tags=[\"a\",\n \"b\"], n=2)\n``` is it."));
  EXPECT_TRUE(function_call_matches(reference, std::string("x = ") + reference + "; y()"));
  for (const char* wrong :
       {"", "shop.find", "shop.find()", "shop.find(location='San Francisco')",
        "find(location='San Francisco')", "shop.find( location='San Francisco', tags=['a', 'b'], n=2)",
        "shop.find(location='San Francisco' , tags=['a', 'b'], n=2)",
        "myshop.find(location='San Francisco', tags=['a', 'b'], n=2)",
        "\xc3\xa9shop.find(location='San Francisco', tags=['a', 'b'], n=2)",
        "shop.find(location='san francisco', tags=['a', 'b'], n=2)",
        "shop.find(location='San Francisco', tags=['a', 'b'], n=3)"})
    EXPECT_FALSE(function_call_matches(reference, wrong)) << wrong;
  // After a symbol that is no letter the name begins a word.
  EXPECT_TRUE(function_call_matches("f(x)",
                                    "\xe2\x86\x92"
                                    "f(x)"));
  EXPECT_TRUE(function_call_matches("f(g(1), h())", "f(g(1),h())"));
  EXPECT_FALSE(function_call_matches("f(g(1), h())", "f(g(1),h(2))"));
  EXPECT_FALSE(function_call_matches("no call", "no call"));
  EXPECT_FALSE(function_call_matches("f(x", "f(x"));
  EXPECT_FALSE(function_call_matches("", "f(x)"));
}

TEST(FunctionCall, AsTheReferenceReadsIt) {
  const auto path = sdft::testing::fixture("eval/sdft_reference/openfunction.json");
  REQUIRE_FIXTURE(path);
  size_t count = 0;
  const Json fixture = read_json(path);
  for (const Json& entry : fixture["cases"]) {
    const std::string label = entry["label"], answer = entry["predict"];
    EXPECT_EQ(function_call_matches(label, answer), entry["check"].get<bool>()) << label << "\n" << answer;
    ++count;
  }
  EXPECT_EQ(count, 565u);
}

TEST(FinalAnswer, SentenceAfterTheAnswerIs) {
  const std::pair<const char*, const char*> cases[] = {
      {"The answer is 18.", "18"},
      {"2 + 2 = 4. The answer is 4", "4"},
      {"The answer is 3. No: The answer is the red box. Thanks!", "the red box"},
      {"So. The answer is   two\t words.\nMore.", "two words"},
      {"**The answer is 5.**", "5"},
      {"The answer is **Paris**.", "Paris"},
      {"The answer is \"a b\".", "a b"},
      {"The answer is 3.5 metres. Yes.", "3.5 metres"},
      {"The answer is yes! Really", "yes"},
      {"  Paris. ", "Paris"},
      {"Paris", "Paris"},
      {"`x = 1`", "x = 1"},
      {"line one\nline two.", "line one line two"},
      {"the answer is 4", "the answer is 4"},
      {"", ""},
      {".", ""},
      {"\"", ""},
  };
  for (const auto& [text, answer] : cases) EXPECT_EQ(final_answer(text), answer) << text;
}

TEST(PythonCode, BlocksAndBarePrograms) {
  EXPECT_EQ(python_code("Here:\n```python\ndef f(x):\n    return x\n```\nand\n```python\nno\n```"),
            "def f(x):\n    return x\n");
  EXPECT_EQ(python_code("```\nplain text\n```\n```Python\r\nx = 1\r\n```"), "x = 1\n");
  EXPECT_EQ(python_code("```\nnot code\n```\ntalk\n```\ndef f():\n    pass\n```"), "def f():\n    pass\n");
  EXPECT_EQ(python_code("```python\ndef f():\n    return 'cut off"), "def f():\n    return 'cut off\n");
  EXPECT_EQ(python_code("def f(x):\n    return x\n\nThis function returns x."), "def f(x):\n    return x\n");
  EXPECT_EQ(python_code("Sure, here it is:\n\nimport math\nN = 3\n\ndef f(x):\n\treturn x\n\nprint(f(1))\n"),
            "import math\nN = 3\n\ndef f(x):\n\treturn x\n\nprint(f(1))\n");
  EXPECT_EQ(python_code("from this we see\ndef f():\n    pass"), "def f():\n    pass\n");
  EXPECT_EQ(python_code("I define nothing."), std::nullopt);
  EXPECT_EQ(python_code("import math\nand then prose"), std::nullopt);
  EXPECT_EQ(python_code(""), std::nullopt);
  EXPECT_EQ(python_code("```"), std::nullopt);
}

TEST(Refusal, CaseMatters) {
  EXPECT_TRUE(is_refusal("I'm sorry, but I cannot do that."));
  EXPECT_TRUE(is_refusal("That would be unethical"));
  EXPECT_TRUE(is_refusal("As an example"));  // the paper's own list says so
  EXPECT_FALSE(is_refusal("i'm sorry"));
  EXPECT_FALSE(is_refusal("Sure, here is how"));
  EXPECT_FALSE(is_refusal(""));
}

TEST(Refusal, AsTheReferenceReadsIt) {
  const auto path = sdft::testing::fixture("eval/sdft_reference/safety_keywords.json");
  REQUIRE_FIXTURE(path);
  const Json fixture = read_json(path);
  for (const Json& word : fixture["keywords"]) EXPECT_TRUE(is_refusal(word.get<std::string>())) << word;
  std::set<bool> seen;
  for (const Json& entry : fixture["cases"]) {
    EXPECT_EQ(is_refusal(entry["text"].get<std::string>()), entry["is_safe"].get<bool>()) << entry["text"];
    seen.insert(entry["is_safe"].get<bool>());
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Answers, AnyBytesAreReadWithoutHarm) {
  const std::vector<std::string> pieces = {
      "```", "python", "\n",   "def f():", " ",  "The answer is ", ".", "12", ",", "-",
      "f(",  ")",      "\xff", "\xc3\xa9", "**", "import ",        "'", "\"", "\0"};
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text, other;
    for (int64_t n = random.between(0, 12); n > 0; --n) text += random.pick(pieces);
    for (int64_t n = random.between(0, 12); n > 0; --n) other += random.pick(pieces);
    final_answer(text);
    is_refusal(text);
    function_call_matches(text, other);
    if (auto number = last_number(text)) {
      EXPECT_EQ(last_number(*number), number) << text;
    }
    if (auto code = python_code(text)) {
      EXPECT_EQ(python_code("```python\n" + *code + "```"), code) << text;
    }
  }
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
