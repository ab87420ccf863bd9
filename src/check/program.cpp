// "program": the Python program in the answer passes the record's tests, really run in the sandbox.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "check/answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

// A record's tests: "tests" (lines), HumanEval's "prompt", "test" and "entry_point", or MBPP's "test_list"
// with "test_imports" and "test_setup_code".
struct Tests {
  std::string text;
  std::string prompt,
      entry_point;  // of HumanEval: what an answer may go on from, and the function it defines
};

// A field that is a text or a list of lines; "" where it is missing, none where it is something else.
std::optional<std::string> text_field(const Json& fields, const char* name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return "";
  if (found->is_string()) return found->get<std::string>() + "\n";
  if (!found->is_array()) return std::nullopt;
  std::string text;
  for (const Json& line : *found) {
    if (!line.is_string()) return std::nullopt;
    text += line.get<std::string>() + "\n";
  }
  return text;
}

bool has_line(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start || text.find("\n" + std::string(start)) != text.npos;
}

std::optional<Tests> tests_of(const CheckItem& item) {
  if (!item.fields || !item.fields->is_object()) return std::nullopt;
  const Json& fields = *item.fields;
  if (fields.contains("tests")) {
    if (!fields["tests"].is_array()) return std::nullopt;
    const std::optional<std::string> text = text_field(fields, "tests");
    return text && !text->empty() ? std::optional<Tests>({*text, "", ""}) : std::nullopt;
  }
  std::string all[5];
  const char* names[] = {"test_imports", "test_setup_code", "test", "test_list", "prompt"};
  for (size_t i = 0; i < std::size(names); ++i) {
    const std::optional<std::string> text = text_field(fields, names[i]);
    if (!text) return std::nullopt;
    all[i] = *text;
  }
  Tests tests{all[0] + all[1] + all[2] + all[3], "", ""};
  if (all[2].empty() && all[3].empty()) return std::nullopt;
  const std::string entry = fields.contains("entry_point") && fields["entry_point"].is_string()
                                ? fields["entry_point"].get<std::string>()
                                : "";
  if (entry.empty()) return tests;
  tests.entry_point = entry;
  if (has_line(all[2], "def check(") && !has_line(all[2], "check(")) tests.text += "check(" + entry + ")\n";
  if (has_line(all[4], "def " + entry + "(")) {
    tests.prompt = fields["prompt"].get<std::string>();
  }
  return tests;
}

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

std::string missing(const CheckItem& item, const Argument& argument) {
  const std::optional<Tests> tests = tests_of(item);
  if (!tests) return "field 'tests': expected a list of Python lines";
  if (!argument.text.empty() && tests->prompt.empty())
    return "fields 'prompt', 'entry_point': expected a Python function to go on with, and its name";
  for (size_t begin = 0; begin < tests->text.size();) {
    const size_t end = std::min(tests->text.find('\n', begin), tests->text.size());
    if (can_fail(std::string_view(tests->text).substr(begin, end - begin))) return "";
    begin = end + 1;
  }
  return "field 'tests': no line can fail, so every program would pass";
}

// How an answer and a record become a program. HumanEval (Chen et al. 2021) runs the prompt and the answer as
// they are; HumanEvalSynthesize (Muennighoff et al. 2023) ends the answer at the first line at the margin and
// imports before it what programs like to use.
constexpr const char* kForms[] = {"humaneval", "synthesize"};
constexpr const char* kImports[] = {"math",      "re",          "sys",   "copy",       "datetime",
                                    "itertools", "collections", "heapq", "statistics", "functools",
                                    "hashlib",   "string",      "numpy"};

void read_form(Argument* argument) {
  if (std::find(std::begin(kForms), std::end(kForms), argument->text) == std::end(kForms))
    fail_usage("expected nothing, 'humaneval' or 'synthesize', found '" + argument->text + "'");
}

// The imports of HumanEvalSynthesize, of the modules that the text mentions.
std::string imports_for(std::string_view text, bool packages) {
  std::string lines;
  for (const std::string name : kImports) {
    if (name == "numpy" && (!packages || (text.find("np.") == text.npos && text.find(name) == text.npos)))
      continue;
    if (name == "numpy")
      lines += "import numpy\nimport numpy as np\n";
    else if (text.find(name) != text.npos)
      lines += "import " + name + "\n";
  }
  return lines + "from typing import *\nfrom collections import *\n";
}

std::string_view without_end_space(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n\f\v") + 1);
}

std::optional<Program> program_of(const CheckItem& item, const Tests& tests, const std::string& form,
                                  bool packages) {
  Program program;
  program.tests = tests.text;
  const PythonNames known = python_names(python_code(item.reference).value_or(""));
  program.functions = known.functions;
  program.classes = known.classes;
  if (!tests.entry_point.empty()) program.functions.push_back(tests.entry_point);
  if (tests.prompt.empty()) {
    const std::optional<std::string> code = python_code(item.answer);
    if (!code) return std::nullopt;
    program.code = *code;
    return program;
  }
  const std::vector<std::string> classes = python_names(tests.prompt).classes;
  program.classes.insert(program.classes.end(), classes.begin(), classes.end());
  program.helpers = python_stub(tests.prompt);
  if (form == "humaneval") {
    program.code = tests.prompt + std::string(item.answer);
  } else if (form == "synthesize") {
    const std::string body = python_body(item.answer);
    const std::string imports = imports_for(tests.prompt + body, packages);
    program.code = imports + std::string(without_end_space(tests.prompt)) + body;
    program.helpers = imports + program.helpers;
  } else {
    const std::optional<std::string> code = python_answer(tests.prompt, tests.entry_point, item.answer);
    if (!code) return std::nullopt;
    program.code = *code;
  }
  return program;
}

const char* reason_of(ProgramResult::Outcome outcome) {
  switch (outcome) {
    case ProgramResult::kPassed:
      return "";
    case ProgramResult::kFailed:
      return "tests_failed";
    case ProgramResult::kTimedOut:
      return "timed_out";
    case ProgramResult::kUnsupported:
      return "unsupported_value";
    case ProgramResult::kBadReply:
      return "bad_reply";
    case ProgramResult::kBadTests:
      return "bad_tests";
    case ProgramResult::kCrashed:
      break;
  }
  return "crashed";
}

std::vector<EvalResult> judge_programs(const std::vector<CheckItem>& items, const Argument& argument,
                                       const JudgeOptions& options) {
  std::vector<EvalResult> results;
  std::vector<Program> programs;
  std::vector<size_t> judged;  // the place of each program's result
  for (const CheckItem& item : items) {
    const std::optional<Tests> tests = tests_of(item);
    results.push_back(result_of(item, false, tests ? "no_program" : "no_tests"));
    if (!tests || (!argument.text.empty() && tests->prompt.empty())) continue;
    std::optional<Program> program = program_of(item, *tests, argument.text, options.sandbox.packages);
    if (!program) continue;
    programs.push_back(std::move(*program));
    judged.push_back(results.size() - 1);
  }
  if (programs.empty()) return results;
  const std::vector<ProgramResult> outcomes = run_programs(programs, options.sandbox);
  for (size_t i = 0; i < outcomes.size(); ++i)
    results[judged[i]] =
        result_of(items[judged[i]], outcomes[i].passed(), reason_of(outcomes[i].outcome), outcomes[i].what);
  return results;
}

}  // namespace

Check program_check() {
  return {"program",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "its Python program passes the record's tests, run in a sandbox; humaneval and synthesize: as the "
          "answer "
          "of these benchmarks goes on with the record's `prompt`",
          judge_programs,
          kNeedsReference | kNeedsSandbox,
          "pass@1",
          missing,
          "[humaneval|synthesize]",
          read_form};
}

}  // namespace sdft
