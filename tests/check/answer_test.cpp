#include "check/answer.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "testing.h"

namespace sdft {
namespace {

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
      {"the answer is 4", "4"},
      {"", ""},
      {".", ""},
      {"\"", ""},
  };
  for (const auto& [text, answer] : cases) EXPECT_EQ(final_answer(text), answer) << text;
}

TEST(FinalAnswer, HoweverItIsAnnounced) {
  for (const char* text : {"So the answer is 5.",
                           "The answer is: 5.",
                           "The answer is:\n\n5",
                           "the final answer is 5",
                           "Answer: 5",
                           "**Answer:** 5",
                           "**Answer**: 5",
                           "Answer = 5",
                           "answer = 5",
                           "Final answer: **5**.",
                           "## Answer\n\n5\n",
                           "### Final Answer: 5",
                           "# Answer\n**5**",
                           "The correct answer is 5!",
                           "**The answer is 5**",
                           "**The answer is: 5.** Yes.",
                           "The answer to the question is 5.",
                           "Thus, the answer is 5.",
                           "We get 5, so the answer is 5.",
                           "It follows that the answer is 5.",
                           "I think the answer is 5.",
                           "The **final answer** is 5.",
                           "The answer would be 5.",
                           "My answer is 5.",
                           "The answer is... 5.",
                           "The answer is 4. No, wait. The answer is 5. Good.",
                           "(The answer is 5.)",
                           "\"The answer is 5.\"",
                           "The answer is “5”.",
                           "The answer is \\boxed{5}.",
                           "So $x = \\boxed{5}$ holds.",
                           "The answer is $5$.",
                           "The answer is \\(5\\).",
                           "Sum.\n#### 5",
                           "<answer>5</answer>",
                           "<answer> 5",
                           "The answer is 5。",
                           "答案是5。好",
                           "答案：5",
                           "`5`",
                           "**5**",
                           "5",
                           "5!",
                           "5.",
                           "5.0",
                           "+5",
                           "(5)",
                           "[5]",
                           "\"5\"",
                           "'5'",
                           "«5»",
                           "```\n5\n```",
                           "\xef\xbb\xbf"
                           "5",
                           "The answer is 5\u00a0.",
                           "**5",
                           "The answer is 5. 6 is wrong."})
    EXPECT_EQ(final_answer(text), "5") << text;
}

TEST(FinalAnswer, WhatAnnouncesNothing) {
  for (const char* text : {"Many think the answer is 5. It is 6.",
                           "If the answer is 5, then it fails.",
                           "The wrong answer is 5.",
                           "I doubt that the answer is 5.",
                           "The answer isn't 5.",
                           "The answer is not 5.",
                           "The answer key: 5",
                           "Wrong answer: 5",
                           "Is the answer 5?",
                           "The answers differ: 5",
                           "non-answer: 5",
                           "(1, 5)",
                           "5*6",
                           "5 6",
                           "1.5",
                           "5\"",
                           "$5",
                           "-5",
                           "5.01",
                           "5,0",
                           "The answer is 5 kg."})
    EXPECT_NE(final_answer(text), "5") << text;
  EXPECT_EQ(final_answer("answer"), "answer");
}

TEST(FinalAnswer, SentencesEndWhereTheyEnd) {
  const std::pair<const char*, const char*> cases[] = {
      {"The answer is Dr. No. It is a film.", "Dr. No"},
      {"The answer is Mr. A. Smith. He sang.", "Mr. A. Smith"},
      {"The answer is J. R. R. Tolkien.", "J. R. R. Tolkien"},
      {"The answer is John F. Kennedy. He was a president.", "John F. Kennedy"},
      {"The answer is Prof. X, of course.", "Prof. X, of course"},
      {"The answer is St. Paul.", "St. Paul"},
      {"The answer is the U.S. Navy. Thanks.", "the U.S. Navy"},
      {"The answer is the U.S. The end.", "the U.S"},
      {"The answer is No. 5. It smells.", "No. 5"},
      {"The answer is no. 5 people came, not 6.", "no. 5 people came, not 6"},
      {"The answer is No. It is not.", "No"},
      {"The answer is A vs. B. The end.", "A vs. B"},
      {"The answer is fruit, e.g. apples. Yes.", "fruit, e.g. apples"},
      {"The answer is 5 p.m. on Monday. Bye.", "5 p.m. on Monday"},
      {"The answer is B. Because it is.", "B"},
      {"The answer is B. The others are wrong.", "B"},
      {"The answer is 3.14. Roughly.", "3.14"},
      {"The answer is .5. Yes.", ".5"},
      {"The answer is https://a.org/x?y=1. Yes.", "https://a.org/x?y=1"},
      {"The answer is a.txt. Yes.", "a.txt"},
      {"The answer is x != 1. Yes.", "x != 1"},
      {"The answer is Paris... I think.", "Paris"},
      {"The answer is Who? Yes.", "Who"},
      {"The answer is \"a. b\". Yes.", "a. b"},
      {"The answer is f(x). Yes.", "f(x)"},
      {"The answer is __init__.", "__init__"},
      {"The answer is 2**3.", "2**3"},
      {"The answer is *args.", "*args"},
      {"The answer is a * b * c.", "a * b * c"},
      {"The answer is **a** and **b**.", "a and b"},
      {"The answer is `f_x`.", "f_x"},
      {"The answer is 5–6.", "5-6"},
      {"The answer is −3.", "-3"},
      {"The answer is O’Hara.", "O'Hara"},
      {"The answer is 1,080 kg and 12,345,678.90.", "1080 kg and 12345678.90"},
      {"1,2,3", "1,2,3"},
      {"1,2345", "1,2345"},
      {"0.123,456", "0.123,456"},
      {"3.10", "3.10"},
      {"五。", "五"},
      {"[1, 2]", "[1, 2]"},
      {"\\boxed{\\text{red}}", "red"},
      {"\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"},
  };
  for (const auto& [text, answer] : cases) EXPECT_EQ(final_answer(text), answer) << text;
}

TEST(FinalAnswer, AgreesWithReasonsBehindIt) {
  EXPECT_TRUE(answers_agree("5", "The answer is 5, which is odd."));
  EXPECT_TRUE(answers_agree("The answer is 5.", "The answer is **5** because 2 + 3 = 5."));
  EXPECT_FALSE(answers_agree("5", "The answer is 5 million."));
  EXPECT_FALSE(answers_agree("5", "The answer is 50, which is even."));
  EXPECT_FALSE(answers_agree("5", "The answer is 5, not 6."));
  EXPECT_FALSE(answers_agree("the sum, which is 5", "the sum, which is 6"));
  EXPECT_FALSE(answers_agree("5", ""));
}

// Texts made to take long, as long as answers get.
TEST(FinalAnswer, LongTextsTakeNoLonger) {
  for (const char* piece : {"*a ", "`", "_a", "......a", "a.", "answer", "The answer is ", "((", "'\"",
                            "1,111", "\\boxed{", ". ", "#### 1\n", "A. ", "```\n", "x = 1\n"}) {
    std::string text;
    while (text.size() < 200000) text += piece;
    final_answer(text);
    python_code(text);
  }
}

TEST(PythonCode, Fences) {
  const std::string program = "def f(x):\n    return x * 2\n";
  for (const char* text : {
           "Steps:\n1. Write it:\n   ```python\n   def f(x):\n       return x * 2\n   ```\n2. Use it.",
           "1. ```python\n   def f(x):\n       return x * 2\n   ```\n2. Use it.",
           "- It:\n\n\t```python\n\tdef f(x):\n\t    return x * 2\n\t```\nYes.",
           "   ```python\ndef f(x):\n    return x * 2\n   ```",
           "```py\ndef f(x):\n    return x * 2\n```",
           "```Python3\ndef f(x):\n    return x * 2\n```",
           "```{.python .numberLines}\ndef f(x):\n    return x * 2\n```",
           "```python title=\"a.py\"\ndef f(x):\n    return x * 2\n```",
           "~~~python\ndef f(x):\n    return x * 2\n~~~\n```python\nno\n```",
           "````python\r\ndef f(x):\r\n    return x * 2\r\n````\r\n",
           "```python\ndef f(x):\n    return x * 2\n    ```\nSee.",
           "```text\nno\n```\n```\ndef f(x):\n    return x * 2\n```\n```\n4\n```",
           "Run ```pip install x``` first.\n```python\ndef f(x):\n    return x * 2\n```",
           "```python\ndef f(x):\n    return x * 2\n```\nTry it:\n```python\nprint(f(input()))\n```",
           "```python\ndef f(x):\n    return x * 2\n```\nOr:\n```python\ndef f(x):\n    return x + x\n```",
       })
    EXPECT_EQ(python_code(text), program) << text;
  EXPECT_EQ(python_code("```python\nimport math\n```\nThen:\n```python\ndef f(x):\n    return "
                        "x\n```\nand\n```python\nclass A:\n    pass\n```"),
            "import math\ndef f(x):\n    return x\nclass A:\n    pass\n");
  for (const char* body :
       {"    \"\"\"Usage:\n    ```\n    f(1)\n    ```\n    \"\"\"\n",
        "  '''Usage:\n  ```\n  f(1)\n  ```\n  '''\n", "    \"\"\"\n```\nf(1)\n```\n    \"\"\"\n"}) {
    const std::string inner = std::string("def f(x):\n") + body + "    return x\n";
    EXPECT_EQ(python_code("```python\n" + inner + "```\nDone."), inner);
  }
  EXPECT_EQ(python_code("```python\nx = \"\"\"\n```\nDone."), "x = \"\"\"\n") << "never closed";
}

TEST(PythonCode, BareProgramsEndAtProse) {
  for (const char* program : {
           "def f(x):\n    \"\"\"Doubles.\n\nUsage at the margin: f(1) is 2.\n\"\"\"\n    return x * 2\n",
           "def f(x):\n    return x * 2\n\na, b = f(1), f(2)\nprint(a)\n",
           "K = 1\nK += 1\n\n# twice\ndef f(x):\n    return x * K\n",
           "x: int = 2\n\ndef f(y):\n    return y * x\n",
           "f = lambda x: x * 2\n",
           "def f(x):\n    return {\n'a': 1,\n}[x]\n\nd[0] = (\n1)\n",
           "@cache\ndef f(x):\n    return x\n\nif __name__ == '__main__': f(1)\nfor i in range(3):\n    "
           "f(i)\nelse:\n    pass\n",
           "class A(B):\n    def f(self):\n        pass\n\nA().f()\n",
       })
    for (const char* prose :
         {"", "This doubles.", "Note: it doubles x.", "f(2) returns 4.", "f(2), say, is (4).",
          "for all x it works", "If x = 2, it is 4.", "class of things", "return values are doubled",
          "x is == 2", "Example:", "with this you can (or not): be glad"})
      EXPECT_EQ(python_code("Sure.\n" + std::string(program) + "\n" + prose + "\nBye."), program) << prose;
  EXPECT_EQ(python_code("It is:\n\n    def f(x):\n        return x\n\nGood."), "def f(x):\n    return x\n");
  EXPECT_EQ(python_code("import duties\nare high.\ndef f(x):\n    return x"), "def f(x):\n    return x\n");
  EXPECT_EQ(python_code("Sure. def f(x):\n    return x * 2\n"), std::nullopt);
  EXPECT_EQ(python_code("class of problems: hard"), std::nullopt);
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

TEST(PythonCode, Sessions) {
  const std::string program = "def f(x):\n    return x * 2\n";
  for (const char* text : {
           "```python\n>>> def f(x):\n...     return x * 2\n```",
           "```pycon\n>>> def f(x):\n...     return x * 2\n...\n```\nYes.",
           "```\n>>> def f(x):\n...     return x * 2\n```\nand\n```\n>>> f(2)\n4\n```",
           "Type it:\n\n>>> def f(x):\n...     return x * 2\n",
           "Type it:\n\n    >>> def f(x):\n    ...     return x * 2\n",
           "Use it:\n```python\n>>> f(2)\n4\n```\nIt is:\n```python\ndef f(x):\n    return x * 2\n```",
       })
    EXPECT_EQ(python_code(text), program) << text;
  const std::string tested =
      "def f(x):\n    \"\"\"Doubles.\n    >>> f(2)\n    4\n    \"\"\"\n    return x * 2\n";
  EXPECT_EQ(python_code("```python\n" + tested + "```"), tested) << "a docstring's session is text";
  EXPECT_EQ(python_code(tested), tested);
  const std::string margin =
      "def f(x):\n    \"\"\"Doubles.\n>>> f(2)\n4\n```\nNo code.\n```\n\"\"\"\n    return x * 2\n";
  EXPECT_EQ(python_code("```python\n" + margin + "```\nDone."), margin);
  EXPECT_EQ(python_code(margin + "\nThis doubles."), margin);
}

TEST(PythonCode, BlocksThatDefineNothingAreNotTheProgram) {
  const std::string program = "def f(x):\n    return x * 2\n";
  EXPECT_EQ(python_code("```python\nprint(f(2))\n```\nwith\n```\n" + program + "```"), program);
  EXPECT_EQ(python_code(program + "\nUse it so:\n```python\nprint(f(2))\n```"), program);
  EXPECT_EQ(python_code("```bash\npip install x\n```\n```python\n" + program + "```\n```text\n4\n```"),
            program);
  EXPECT_EQ(python_code("```python\nprint(2)\n```"), "print(2)\n");
  EXPECT_EQ(python_code("```python\nf: Callable[[int], int] = lambda x: x * 2\n```"),
            "f: Callable[[int], int] = lambda x: x * 2\n");
  EXPECT_EQ(python_code("It is:\nf = lambda x: x * 2\nYes."), "f = lambda x: x * 2\n");
  EXPECT_EQ(python_code("f: object = lambda x: x * 2\n\nIt doubles."), "f: object = lambda x: x * 2\n");
  EXPECT_EQ(python_code(program + "```\n\nIt doubles."), program) << "the prompt opened the fence";
}

TEST(PythonNames, OfTheMargin) {
  const PythonNames names = python_names(
      "import a\nf = lambda: 1\nclass A(B):\n    def g(self): pass\nasync def h(): pass\nx = \"\"\"\n"
      "def no(): pass\n\"\"\"\ndef k(\n    a,\n): pass\n");
  EXPECT_EQ(names.functions, (std::vector<std::string>{"f", "h", "k"}));
  EXPECT_EQ(names.classes, std::vector<std::string>{"A"});
}

TEST(PythonAnswer, GoesOnOrDefinesAnew) {
  const std::string prompt = "import math\n\ndef f(x):\n  \"\"\" Doubles. \"\"\"\n";
  EXPECT_EQ(python_stub(prompt), prompt + "\n  pass\n");
  EXPECT_EQ(python_stub("def f(x):\n"), "def f(x):\n\n    pass\n");
  EXPECT_EQ(python_answer(prompt, "f", "  return 2 * x\n"), prompt + "  return 2 * x\n");
  EXPECT_EQ(python_answer(prompt, "f", "return 2 * x\n"), prompt + "  return 2 * x\n");
  EXPECT_EQ(python_answer(prompt, "f", "```\nx += x\nreturn x\n```"), prompt + "  x += x\n  return x\n");
  EXPECT_EQ(python_answer(prompt, "f", "def f(x):\n    return 2 * x\n"),
            prompt + "\n  pass\n\ndef f(x):\n    return 2 * x\n");
  EXPECT_EQ(python_answer(prompt, "f", "  def g(y):\n    return y\n  return g(2 * x)\n\nclass of its own"),
            prompt + "  def g(y):\n    return y\n  return g(2 * x)\n\n");
  EXPECT_EQ(python_answer(prompt, "f", "  '''\nNot prose.\n'''\n  return x\n"),
            prompt + "  '''\nNot prose.\n'''\n  return x\n");
  EXPECT_EQ(python_answer(prompt, "f", "It doubles x."), std::nullopt);
  EXPECT_EQ(python_answer(prompt, "f", ""), std::nullopt);
  EXPECT_EQ(python_body("\n    return x\n\nprint(2)\n"), "\n    return x\n");
  EXPECT_EQ(python_body("    return x"), "    return x");
  EXPECT_EQ(python_body("def f(x):\n    return x"), "");
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
      "```", "python",  "\n", "def f():", " ",    "The answer is ", ".",   "12",         ",",
      "-",   "f(",      ")",  "\xff",     "    ", "\"\"\"",         "1. ", "f = lambda", "\xc3\xa9",
      "**",  "import ", "'",  "\"",       "\0"};
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
    python_answer(other, "f", text);
    python_names(text);
    if (auto code = python_code(text)) {
      const std::string fence(40, '~');
      EXPECT_EQ(python_code(fence + "python\n" + *code + fence), code) << text;
    }
  }
}

}  // namespace
}  // namespace sdft
