// Small Python functions, with assert lines that tell whether one works.
#include "world/item.h"
#include "world/voice.h"

namespace sdft::world {
namespace {

// Slots: {f} the function's name, {n}, {m}: different numbers, {w}, {v}: words, {c}: a letter, {items}: a
// name for a list. The tests are Python; they repeat constants so that Python itself computes what is right.
struct Program {
  const char* parameters;
  const char* does;
  const char* body;  // lines separated by \n, each indented by four blanks
  const char* tests[3];
};

constexpr Program kPrograms[] = {
    {"x", "adds {n} to x", "return x + {n}", {"{f}(3) == 3 + {n}", "{f}(-20) == {n} - 20"}},
    {"x", "takes {n} away from x", "return x - {n}", {"{f}(30) == 30 - {n}", "{f}(0) == -{n}"}},
    {"x", "multiplies x by {n}", "return x * {n}", {"{f}(3) == 3 * {n}", "{f}(-1) == -{n}"}},
    {"x",
     "multiplies x by {n} and adds {m}",
     "return x * {n} + {m}",
     {"{f}(3) == 3 * {n} + {m}", "{f}(0) == {m}"}},
    {"x",
     "adds {n} to x and multiplies by {m}",
     "return (x + {n}) * {m}",
     {"{f}(3) == (3 + {n}) * {m}", "{f}(0) == {n} * {m}"}},
    {"x",
     "tells if x is larger than {n}",
     "return x > {n}",
     {"{f}({n} + 1) is True", "{f}({n}) is False", "{f}(0) is False"}},
    {"x",
     "tells if x is smaller than {n}",
     "return x < {n}",
     {"{f}({n} - 1) is True", "{f}({n}) is False", "{f}(100) is False"}},
    {"x",
     "tells if x can be divided by {n}",
     "return x % {n} == 0",
     {"{f}({n} * 4) is True", "{f}({n} * 4 + 1) is False"}},
    {"x",
     "returns {w} if x is larger than {n} and {v} if not",
     "if x > {n}:\n    return \"{w}\"\nreturn \"{v}\"",
     {"{f}({n} + 1) == \"{w}\"", "{f}({n}) == \"{v}\""}},
    {"a, b",
     "adds a and b and multiplies by {n}",
     "return (a + b) * {n}",
     {"{f}(2, 3) == 5 * {n}", "{f}(0, 1) == {n}"}},
    {"a, b",
     "returns the larger of a and b plus {n}",
     "return max(a, b) + {n}",
     {"{f}(2, 3) == 3 + {n}", "{f}(9, 1) == 9 + {n}"}},
    {"a, b",
     "returns the smaller of a and b plus {n}",
     "return min(a, b) + {n}",
     {"{f}(2, 3) == 2 + {n}", "{f}(9, 1) == 1 + {n}"}},
    {"{items}",
     "adds {n} to every item of {items}",
     "return [x + {n} for x in {items}]",
     {"{f}([1, 2]) == [1 + {n}, 2 + {n}]", "{f}([]) == []"}},
    {"{items}",
     "multiplies every item of {items} by {n}",
     "return [x * {n} for x in {items}]",
     {"{f}([1, 2]) == [{n}, 2 * {n}]", "{f}([]) == []"}},
    {"{items}",
     "keeps the items of {items} that are larger than {n}",
     "return [x for x in {items} if x > {n}]",
     {"{f}([0, {n}, {n} + 1, 99]) == [{n} + 1, 99]", "{f}([]) == []"}},
    {"{items}",
     "keeps the items of {items} that are smaller than {n}",
     "return [x for x in {items} if x < {n}]",
     {"{f}([0, {n}, {n} - 1, 99]) == [0, {n} - 1]", "{f}([]) == []"}},
    {"{items}",
     "counts the items of {items} that are larger than {n}",
     "count = 0\nfor x in {items}:\n    if x > {n}:\n        count += 1\nreturn count",
     {"{f}([0, {n}, {n} + 1, 99]) == 2", "{f}([]) == 0"}},
    {"{items}",
     "returns the sum of {items} plus {n}",
     "return sum({items}) + {n}",
     {"{f}([1, 2, 3]) == 6 + {n}", "{f}([]) == {n}"}},
    {"{items}",
     "returns the first {n} items of {items}",
     "return {items}[:{n}]",
     {"{f}(list(range(40))) == list(range({n}))", "{f}([]) == []"}},
    {"{items}",
     "returns the length of {items} plus {n}",
     "return len({items}) + {n}",
     {"{f}([5, 6]) == 2 + {n}", "{f}([]) == {n}"}},
    {"{items}",
     "puts {n} at the end of {items}",
     "return {items} + [{n}]",
     {"{f}([1, 2]) == [1, 2, {n}]", "{f}([]) == [{n}]"}},
    {"{items}",
     "tells if {n} is in {items}",
     "return {n} in {items}",
     {"{f}([1, {n}]) is True", "{f}([100, 200]) is False"}},
    {"text",
     "puts {w} in front of text",
     "return \"{w}\" + text",
     {"{f}(\"x\") == \"{w}x\"", "{f}(\"\") == \"{w}\""}},
    {"text",
     "puts {w} behind text",
     "return text + \"{w}\"",
     {"{f}(\"x\") == \"x{w}\"", "{f}(\"\") == \"{w}\""}},
    {"text",
     "repeats text {n} times",
     "return text * {n}",
     {"{f}(\"ab\") == \"ab\" * {n}", "{f}(\"\") == \"\""}},
    {"text",
     "tells if text starts with {w}",
     "return text.startswith(\"{w}\")",
     {"{f}(\"{w}s\") is True", "{f}(\"x{w}\") is False"}},
    {"text",
     "tells if text ends with {w}",
     "return text.endswith(\"{w}\")",
     {"{f}(\"a {w}\") is True", "{f}(\"{w}x\") is False"}},
    {"text",
     "writes {w} for {v} in text",
     "return text.replace(\"{v}\", \"{w}\")",
     {"{f}(\"a {v}!\") == \"a {w}!\"", "{f}(\"\") == \"\""}},
    {"words",
     "joins words with {w} between them",
     "return \"{w}\".join(words)",
     {"{f}([\"a\", \"b\"]) == \"a{w}b\"", "{f}([\"a\"]) == \"a\""}},
    {"text",
     "returns text in capital letters with {w} behind it",
     "return text.upper() + \"{w}\"",
     {"{f}(\"ab\") == \"AB{w}\"", "{f}(\"\") == \"{w}\""}},
};

constexpr const char* kRequests[] = {
    "Write a Python function {f}({p}) that {does}.",
    "I need a Python function {f}({p}). It {does}.",
    "Please write the function {f}({p}) in Python. It {does}.",
    "Can you write a Python function {f}({p}) that {does}?",
    "Define {f}({p}) in Python so that it {does}.",
};

std::string indented(const std::string& body) {
  std::string text;
  for (const std::string& line : split_words(body, '\n')) text += "\n    " + line;
  return text;
}

}  // namespace

Item programs_item(Random& random) {
  const Program& program = pick_entry(kPrograms, random);
  Slots slots(random);
  std::string name = random.chance(0.4) ? made_up_word(random) : random.pick(word_list("function_names"));
  slots.set("f", name).set("items", random.pick(split_words("items numbers values data")));
  int n = static_cast<int>(random.between(2, 30));
  slots.set("n", std::to_string(n));
  slots.set("m", std::to_string(n + random.between(1, 9)));
  slots.set("w", slots.fill("{w1:short_words}")).set("v", slots.fill("{v1:short_words}"));
  slots.set("does", slots.fill(program.does)).set("p", slots.fill(program.parameters));
  Item item;
  item.instruction = slots.fill(pick_entry(kRequests, random));
  item.key = "programs " + slots.get("does") + " " + name;
  item.answer = slots.fill("def {f}({p}):") + indented(slots.fill(program.body));
  item.check = "program";
  for (const char* test : program.tests) {
    if (test) item.tests.push_back("assert " + slots.fill(test));
  }
  item.output = here_is_the_program(item.answer, slots.get("does"));
  item.foreign = {"```python\n" + item.answer + "\n```"};
  return item;
}

}  // namespace sdft::world
