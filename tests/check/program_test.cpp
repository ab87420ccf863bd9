// The check "program": verdicts of HumanEval, and programs that try to pass without being right.
#include <gmock/gmock.h>

#include <cstdlib>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "check/check.h"
#include "data/dataset.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::ElementsAre;

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

// What passes between a program and its tests, in both directions.
constexpr const char* kValuesProgram = R"py(
import math
from collections import Counter, namedtuple, OrderedDict, deque
from dataclasses import dataclass
import datetime, enum
P = namedtuple('P', 'x y')
class Err(ValueError):
    def __init__(self, code): super().__init__('code %d' % code); self.code = code
@dataclass
class Point:
    x: int
    y: int = 0
    def move(self, d):
        self.x += d
        return self
    def __add__(self, o): return Point(self.x + o.x, self.y + o.y)
    def __len__(self): return 2
    def __getitem__(self, i): return (self.x, self.y)[i]
class Stack(list):
    def push(self, x): self.append(x)
class Color(enum.Enum):
    RED = 1
def mutate(xs, d): xs.append(4); d['k'] = [1]; xs[0].append(9); return xs
def boom(): raise Err(3)
def gen(n):
    for i in range(n): yield i
def adder(n): return lambda x: x + n
def apply(g, xs): return [g(x) for x in xs]
def counter(): return Counter('aab')
def date(): return datetime.date(2020, 1, 2)
def ident(x): return x
def named(): return P(1, 2)
def kw(a, *b, c=3, **d): return (a, b, c, d)
def hello(): print('hello'); return None
def eat(it): return list(it)
def color(): return Color.RED
K = {'a': [1, 2]}
)py";

constexpr const char* kValuesTests = R"py(
import io, contextlib, copy
xs = [[1], 2]; d = {}
r = mutate(xs, d)
assert r is xs and xs == [[1, 9], 2, 4] and d == {'k': [1]}, (r, xs, d)
try:
    boom()
    assert False
except Err as e:
    assert e.code == 3 and str(e) == 'code 3', str(e)
try:
    boom(); assert False
except ValueError: pass
try: ident(); assert False
except TypeError as e: assert 'missing' in str(e)
assert list(gen(3)) == [0, 1, 2] and next(gen(2)) == 0
g = gen(1); next(g)
try: next(g); assert False
except StopIteration: pass
assert adder(2)(3) == 5
assert apply(lambda x: x * 2, [1, 2]) == [2, 4]
assert apply(str.upper, ['a']) == ['A'] and apply(len, ['abc']) == [3]
assert counter().most_common(1) == [('a', 2)]
assert Counter('ab') == Counter('ba')
import datetime
assert date() == datetime.date(2020, 1, 2)
for v in (None, True, 0, -5, 10**100, 1.5, -0.0, float('inf'), 2j, 'é\ud800', b'\0x', [1, [2]], (1,), {1: {2}}, {3}, frozenset([4]), bytearray(b'a'), range(3), ...):
    w = ident(v)
    assert w == v and type(w) is type(v) and repr(w) == repr(v), v
assert ident(float('nan')) != ident(float('nan'))
assert {'a': 1}.keys() == ident({'a': 1}.keys())
p = Point(1, 2)
assert p.x == 1 and p.move(3) is p and p.x == 4
assert p + Point(1, 1) == Point(5, 3) and p != Point(0, 0) and len(p) == 2 and p[1] == 2
assert isinstance(p, Point) and not isinstance(3, Point)
p.y = 7
assert p.y == 7 and repr(p) == 'Point(x=4, y=7)'
s = Stack(); s.push(3); s.push(4)
assert s == [3, 4] and list(s) == [3, 4] and 3 in s
assert named().x == 1 and named() == (1, 2)
assert kw(1, 2, c=4, e=5) == (1, (2,), 4, {'e': 5})
with contextlib.redirect_stdout(io.StringIO()) as out: hello()
assert out.getvalue() == 'hello\n'
assert eat(iter([1, 2])) == [1, 2] and eat(x for x in 'ab') == ['a', 'b']
assert Color.RED == color() and color().value == 1
assert K == {'a': [1, 2]}
assert math.floor(2.5) == 2
a = [1]; a.append(a); b = ident(a); assert b is a
assert ident.__name__ == 'ident'
assert sorted([Point(2), Point(1)], key=lambda p: p.x)[0].x == 1
assert {Color.RED: 1}[Color.RED] == 1
)py";

TEST_F(ProgramTest, ValuesObjectsAndExceptionsPass) {
  EXPECT_EQ(verdict("```python\n" + std::string(kValuesProgram) + "```", {kValuesTests}, "x", 20), "");
}

TEST_F(ProgramTest, WhatDoesNotPassIsNamed) {
  const std::tuple<const char*, std::vector<std::string>, const char*> cases[] = {
      {"class A: pass\ndef f(x): return A()", {"f(1)"}, "unsupported_value: an object of type 'A'"},
      {"async def f(x): return 1", {"assert f(1)"}, "unsupported_value: an object of type 'coroutine'"},
      {"import re\ndef f(x): return re.compile('a')",
       {"f(1)"},
       "unsupported_value: an object of type 'Pattern'"},
      {"import sys\ndef f(x): return sys", {"f(1)"}, "unsupported_value: an object of type 'module'"},
      {"def f(x): return 'x' * 17000000", {"f(1)"}, "unsupported_value: a value of more than 16 MB"},
      {"def f(x): return 1", {"import sys", "f(sys)"}, "unsupported_value: an object of type 'module'"},
      {"def f(x): return 1", {"class T: pass", "f(T())"}, "unsupported_value: an object of type 'T'"},
      {"class A: pass\ndef f(x): return 1",
       {"try:\n    assert A() == 3", "except BaseException: pass"},
       "unsupported_value: an object compared with a plain value"},
      {"def f(x): return 1", {"assert f(1) =="}, "bad_tests: SyntaxError: invalid syntax (tests.py, line 1)"},
      {"def f(x): return 1 / 0", {"f(1)"}, "tests_failed: ZeroDivisionError"},
      {"def f(x): return 1", {"g(1)"}, "tests_failed: NameError"},
      {"import re\ng = re.compile('a')\ndef f(x): return 1",
       {"assert f(1) == 1", "g"},
       "unsupported_value: an object of type 'Pattern'"},
      {"import re\ng = re.compile('a')\ndef f(x): return 1", {"for g in [1]: assert f(g) == 1"}, ""},
      {"def f(x): return x +", {"f(1)"}, "tests_failed: the program does not load"},
  };
  std::vector<Example> records;
  std::vector<std::string> answers;
  for (const auto& [code, tests, expected] : cases) {
    records.push_back(record({{"tests", tests}}));
    answers.push_back("```python\n" + std::string(code) + "\n```");
  }
  const std::vector<EvalResult> results = judge("program", records, answers, 20);
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string& what = results[i].matched;
    EXPECT_EQ(results[i].reason + (what.empty() ? "" : ": " + what), std::get<2>(cases[i])) << answers[i];
  }
}

// A builtin is the tests' own, unless the record asks for a function of that name.
TEST_F(ProgramTest, BuiltinsAreTheProgramsWhereTheRecordAsksForThem) {
  const std::string own = "def sum(a, b):\n    return a + b";
  EXPECT_EQ(verdict(own, {"assert sum(1, 2) == 3"}, own), "");
  EXPECT_EQ(verdict(own, {"assert sum(1, 2) == 3"}), "tests_failed: TypeError");
}

TEST_F(ProgramTest, ClassesAreWhatTheReferenceSaysThatTheyAre) {
  const std::string object = "class f:\n    def __init__(s, x): s.x = x",
                    function = "def f(x):\n    return x";
  EXPECT_EQ(verdict(object, {"assert f(1).x == 1"}, object), "");
  EXPECT_EQ(verdict(object, {"assert f(1).x == 1"}, function), "unsupported_value: an object of type 'f'");
}

TEST_F(ProgramTest, RecordsOfMbpp) {
  const Json fields = {{"test_imports", {"import math"}},
                       {"test_setup_code", "two = 2"},
                       {"test_list", {"assert math.isclose(half(two), 1)", "assert half(3) == 1.5"}}};
  const std::vector<Example> records(2, record(fields));
  const auto results =
      judge("program", records, {"def half(x):\n    return x / 2", "def half(x):\n    return x // 2"});
  EXPECT_EQ(results[0].score, 1) << results[0].matched;
  EXPECT_EQ(results[1].reason, "tests_failed");
}

TEST_F(ProgramTest, AnswersToTheBeginningOfAFunction) {
  const Json fields = {
      {"prompt",
       "import math\n\ndef two():\n    return 2\n\ndef f(x: float) -> float:\n    \"\"\"Doubles.\n    "
       "\"\"\"\n"},
      {"entry_point", "f"},
      {"test",
       "def check(candidate):\n    assert candidate(2) == 4\n    assert math.isclose(candidate(1.5), 3)"}};
  const std::tuple<const char*, const char*, bool> cases[] = {
      {"program", "    return x * two()", true},
      {"program", "return x * two()", true},
      {"program", "\n    y = x\n    return x + y\n\nThis doubles.", true},
      {"program", "y = x\n    return x + y\n", true},
      {"program", "for y in [x]:\n        return x + y", true},
      {"program", "for y in [x]:\n    return x + y\nreturn 0", true},
      {"program", "```python\n    return x * two()\n```\nDone.", true},
      {"program", "```python\nreturn x * two()\n```", true},
      {"program", "    return x * two()\n```\nIt doubles.", true},
      {"program", "    return g(x)\n\ndef g(x):\n    return x * two()\n", true},
      {"program", "```python\ndef f(x):\n    return math.floor(x) * two()\n```", false},
      {"program", "```python\ndef f(x):\n    return math.fabs(two() * x)\n```", true},
      {"program", "Here:\n```python\ndef two():\n    return 3\ndef f(x):\n    return 2 * x\n```", true},
      {"program", "I cannot.", false},
      {"program", "    return x", false},
      {"program:humaneval", "    return x * two()", true},
      {"program:humaneval", "    return x * 2\n\nThis doubles.", false},
      {"program:humaneval", "return x * 2", false},
      {"program:synthesize", "\n    return x * functools.reduce(int.__mul__, [1, 2])\n\nThis doubles.", true},
      {"program:synthesize", "```python\ndef f(x):\n    return x * 2\n```", false}};
  for (const std::string form : {"program", "program:humaneval", "program:synthesize"}) {
    std::vector<std::string> answers;
    std::vector<bool> wanted;
    for (const auto& [check, answer, right] : cases) {
      if (check != form) continue;
      answers.emplace_back(answer);
      wanted.push_back(right);
    }
    const auto results = judge(form, std::vector<Example>(answers.size(), record(fields)), answers);
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_EQ(results[i].score, wanted[i] ? 1 : 0) << form << ": " << answers[i] << "\n"
                                                     << results[i].reason << results[i].matched;
  }
  EXPECT_EQ(judge("program", {record(fields)}, {"I cannot."}).at(0).reason, "no_program");
  EXPECT_NE(parse_check("program:synthesize", kTaskCheck).missing(check_item(record({{"tests", {"f()"}}}))),
            "");
  EXPECT_THROW(parse_check("program:other", kTaskCheck), Error);
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
