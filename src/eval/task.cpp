#include "eval/task.h"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"
#include "data/answer.h"
#include "data/code_points.h"

namespace sdft {
namespace {

constexpr size_t kShown = 20;

struct NamedCheck {
  Check check;
  const char* name;
};
constexpr std::array<NamedCheck, 6> kChecks = {{{Check::kNumber, "number"},
                                                {Check::kFunctionCall, "function_call"},
                                                {Check::kAnswer, "answer"},
                                                {Check::kProgram, "program"},
                                                {Check::kRefusal, "refusal"},
                                                {Check::kNone, "none"}}};

std::optional<std::string> text_field(const Example& example, const char* name) {
  if (!example.fields.is_object()) return std::nullopt;
  auto at = example.fields.find(name);
  if (at == example.fields.end() || !at->is_string()) return std::nullopt;
  return at->get<std::string>();
}

// The record's test lines as the end of a program; none where they are missing or no list of strings.
std::optional<std::string> tests_of(const Example& example) {
  if (!example.fields.is_object() || !example.fields.contains("tests")) return std::nullopt;
  const Json& tests = example.fields.at("tests");
  if (!tests.is_array() || tests.empty()) return std::nullopt;
  std::string text;
  for (const Json& line : tests) {
    if (!line.is_string()) return std::nullopt;
    text += line.get<std::string>() + "\n";
  }
  return text;
}

std::string_view reference_of(const Example& example) { return strip_thinking(example.response); }

// Whether a test line does something that can fail; comments, `pass` and imports let every program pass.
bool can_fail(std::string_view line) {
  line = line.substr(0, line.find('#'));
  for (size_t begin = 0; begin < line.size();) {
    const size_t end = std::min(line.find(';', begin), line.size());
    const std::string statement = collapse_space(line.substr(begin, end - begin));
    const bool imports = statement.rfind("import ", 0) == 0 || statement.rfind("from ", 0) == 0;
    const bool idle = statement.empty() || statement == "pass" || statement == "..." || statement == "None" ||
                      statement == "True";
    if (!idle && !imports) return true;
    begin = end + 1;
  }
  return false;
}

// Why the programs of an example cannot be tested, or "".
std::string obstacle_of_tests(const Example& example) {
  const std::optional<std::string> tests = tests_of(example);
  if (!tests) return "field 'tests': expected a list of Python lines";
  for (size_t begin = 0; begin < tests->size();) {
    const size_t end = std::min(tests->find('\n', begin), tests->size());
    if (can_fail(std::string_view(*tests).substr(begin, end - begin))) return "";
    begin = end + 1;
  }
  return "field 'tests': no line can fail, so every program would pass";
}

// Why the check cannot judge the example's answers, or "".
std::string obstacle(Check check, const Example& example) {
  const std::string_view reference = reference_of(example);
  switch (check) {
    case Check::kNumber:
      return last_number(reference) ? "" : "the reference answer does not end in an integer";
    case Check::kFunctionCall:
      return function_call_matches(reference, reference) ? "" : "the reference answer holds no function call";
    case Check::kAnswer:
      return final_answer(reference).empty() ? "the reference answer is empty" : "";
    case Check::kProgram:
      return obstacle_of_tests(example);
    case Check::kRefusal:
    case Check::kNone:
      return "";
  }
  return "";
}

bool answer_agrees(const Example& example, const std::string& answer) {
  if (answers_agree(reference_of(example), answer)) return true;
  const std::optional<std::string> bare = text_field(example, "answer");
  return bare && answers_agree(*bare, answer);
}

std::vector<bool> judge_programs(const std::vector<Example>& examples,
                                 const std::vector<std::string>& answers, const SandboxOptions& sandbox) {
  std::vector<std::string> programs;
  std::vector<size_t> places;
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::optional<std::string> code = python_code(answers[i]);
    if (!code) continue;  // no program, so none that passes
    programs.push_back(*code + "\n" + *tests_of(examples[i]));
    places.push_back(i);
  }
  std::vector<bool> right(examples.size(), false);
  if (programs.empty()) return right;
  const std::vector<ProgramResult> results = run_python(programs, sandbox);
  for (size_t i = 0; i < results.size(); ++i) right[places[i]] = results[i].passed();
  return right;
}

bool judge_one(Check check, const Example& example, const std::string& answer) {
  const std::string_view reference = reference_of(example);
  switch (check) {
    case Check::kNumber:
      return last_number(answer) == last_number(reference);
    case Check::kFunctionCall:
      return function_call_matches(reference, answer);
    case Check::kAnswer:
      return answer_agrees(example, answer);
    case Check::kRefusal:
      return is_refusal(answer);
    case Check::kProgram:
    case Check::kNone:
      break;
  }
  throw std::logic_error("judge_one: not for this check");
}

}  // namespace

Check parse_check(const std::string& name) {
  for (const NamedCheck& known : kChecks)
    if (name == known.name) return known.check;
  const std::string near = nearest(name, check_names());
  fail_usage("unknown check '" + name + "'",
             near.empty() ? "known are number, function_call, answer, program, refusal and none"
                          : "did you mean '" + near + "'?");
}

std::string check_name(Check check) {
  for (const NamedCheck& known : kChecks)
    if (check == known.check) return known.name;
  throw std::logic_error("check_name: no such check");
}

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const NamedCheck& known : kChecks) names.emplace_back(known.name);
  return names;
}

Check check_of(const std::vector<Example>& examples) {
  std::optional<std::string> first;
  for (const Example& example : examples) {
    const std::string name = text_field(example, "check").value_or("none");
    if (!first) first = name;
    if (name != *first)
      fail_input("example '" + example.id + "': field 'check'",
                 "is '" + name + "', that of the first is '" + *first + "'",
                 "an evaluation set has one check; split the file");
  }
  return parse_check(first.value_or("none"));
}

void require_judgeable(Check check, const std::vector<Example>& examples) {
  std::string list;
  size_t count = 0;
  for (const Example& example : examples) {
    const std::string reason = obstacle(check, example);
    if (reason.empty()) continue;
    if (++count <= kShown) list += "\n  example '" + example.id + "': " + reason;
  }
  if (count == 0) return;
  if (count > kShown) list += "\n  and " + std::to_string(count - kShown) + " more";
  fail_input("check '" + check_name(check) + "'",
             std::to_string(count) + " of " + std::to_string(examples.size()) + " examples cannot be judged" +
                 list + "\n",
             "choose another check, or mend the dataset");
}

std::vector<bool> judge(Check check, const std::vector<Example>& examples,
                        const std::vector<std::string>& answers, const SandboxOptions& sandbox) {
  if (answers.size() != examples.size()) throw std::logic_error("judge: not one answer for each example");
  if (check == Check::kNone) return {};
  require_judgeable(check, examples);
  std::vector<std::string> given;  // without the model's reasoning
  for (const std::string& answer : answers) given.emplace_back(strip_thinking(answer));
  if (check == Check::kProgram) return judge_programs(examples, given, sandbox);
  std::vector<bool> right(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    stop_if_interrupted();
    right[i] = judge_one(check, examples[i], given[i]);
  }
  return right;
}

}  // namespace sdft
