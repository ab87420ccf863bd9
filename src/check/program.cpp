// "program": the Python program in the answer passes the record's field "tests", really run in the sandbox.
#include <algorithm>
#include <optional>
#include <string_view>

#include "check/answer.h"
#include "check/check.h"
#include "data/code_points.h"

namespace sdft {
namespace {

// The record's test lines as the end of a program; none where they are missing or no list of strings.
std::optional<std::string> tests_of(const CheckItem& item) {
  if (!item.fields || !item.fields->is_object() || !item.fields->contains("tests")) return std::nullopt;
  const Json& tests = item.fields->at("tests");
  if (!tests.is_array() || tests.empty()) return std::nullopt;
  std::string text;
  for (const Json& line : tests) {
    if (!line.is_string()) return std::nullopt;
    text += line.get<std::string>() + "\n";
  }
  return text;
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

std::string missing(const CheckItem& item, const Argument&) {
  const std::optional<std::string> tests = tests_of(item);
  if (!tests) return "field 'tests': expected a list of Python lines";
  for (size_t begin = 0; begin < tests->size();) {
    const size_t end = std::min(tests->find('\n', begin), tests->size());
    if (can_fail(std::string_view(*tests).substr(begin, end - begin))) return "";
    begin = end + 1;
  }
  return "field 'tests': no line can fail, so every program would pass";
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

std::vector<EvalResult> judge_programs(const std::vector<CheckItem>& items, const Argument&,
                                       const JudgeOptions& options) {
  std::vector<EvalResult> results;
  std::vector<Program> programs;
  std::vector<EvalResult*> judged;  // by a program each
  results.reserve(items.size());    // so that these pointers stay
  for (const CheckItem& item : items) {
    const std::optional<std::string> code = python_code(item.answer), tests = tests_of(item);
    results.push_back(result_of(item, false, tests ? "no_program" : "no_tests"));
    if (!code || !tests) continue;
    programs.push_back({*code, *tests});
    judged.push_back(&results.back());
  }
  if (programs.empty()) return results;
  const std::vector<ProgramResult> outcomes = run_programs(programs, options.sandbox);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const bool passed = outcomes[i].passed();
    *judged[i] = {judged[i]->id, passed ? Verdict::kPass : Verdict::kFail, passed ? 1.0 : 0.0,
                  reason_of(outcomes[i].outcome)};
  }
  return results;
}

}  // namespace

Check program_check() {
  return {"program",
          kAcceptance | kAnswerCheck | kTaskCheck,
          "its Python program passes the record's `tests`, run in a sandbox",
          judge_programs,
          kNeedsReference | kNeedsSandbox,
          "pass@1",
          missing};
}

}  // namespace sdft
