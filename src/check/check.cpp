#include "check/check.h"

#include <stdexcept>

#include "base/error.h"
#include "data/thinking.h"

namespace sdft {

// The rows, each made by the file of the check or of its family.
Check banned_phrase_check();
Check empty_check();
Check repetition_loop_check();
Check token_limit_check();
Check number_check();
Check function_call_check();
Check code_check();
Check answer_check();
Check program_check();
Check refusal_check();
Check similarity_check();
Check bleu4_check();

namespace {
constexpr size_t kShown = 20;  // examples in a message

std::vector<EvalResult> judge_nothing(const std::vector<CheckItem>&, const SandboxOptions&) { return {}; }

// In the order in which acceptance asks and lists name them.
const std::vector<Check>& table() {
  static const std::vector<Check> kRows = {
      {"none", kAnswerCheck | kTaskCheck, kNeedsNothing, "", nothing_missing, judge_nothing},
      banned_phrase_check(),
      empty_check(),
      repetition_loop_check(),
      token_limit_check(),
      number_check(),
      function_call_check(),
      code_check(),
      answer_check(),
      program_check(),
      refusal_check(),
      similarity_check(),
      bleu4_check()};
  return kRows;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}
}  // namespace

CheckItem check_item(const Example& example, std::string_view text, bool cut) {
  return {example.id, strip_thinking(example.response), text, strip_thinking(text), cut, &example.fields};
}

EvalResult result_of(const CheckItem& item, bool passed, const char* reason_of_failure) {
  if (passed) return {item.id, Verdict::kPass, 1, ""};
  return {item.id, Verdict::kFail, 0, reason_of_failure};
}

Json to_json(const EvalResult& result) {
  Json json = {{"id", result.id}};
  if (result.verdict == Verdict::kGraded) {
    json["score"] = result.score;
    json["verdict"] = "graded";
  } else {
    json["score"] = result.verdict == Verdict::kPass ? 1 : 0;
  }
  if (!result.reason.empty()) json["reason"] = result.reason;
  return json;
}

EvalResult result_from_json(const Json& json, const std::string& where) {
  EvalResult result;
  result.id = require<std::string>(json, "id", where);
  result.score = require<double>(json, "score", where);
  result.reason = value_or<std::string>(json, "reason", "", where);
  const auto verdict = value_or<std::string>(json, "verdict", "", where);
  const bool graded = verdict == "graded";
  if (!(result.score >= 0 && result.score <= 1) || !(graded || verdict.empty()) ||
      (!graded && result.score != 0 && result.score != 1))
    fail_input(where, "is no result of a check: expected a score of 0 or 1, or \"verdict\": \"graded\"",
               "remove the task's folder, and sdft eval makes it anew");
  result.verdict = graded ? Verdict::kGraded : result.score == 1 ? Verdict::kPass : Verdict::kFail;
  return result;
}

std::map<std::string, EvalResult> by_id(std::vector<EvalResult> results) {
  std::map<std::string, EvalResult> map;
  for (EvalResult& result : results) map.emplace(result.id, std::move(result));
  return map;
}

const Check& find_check(const std::string& name, unsigned use) {
  bool elsewhere = false;
  for (const Check& check : table()) {
    if (name != check.name) continue;
    if (check.uses & use) return check;
    elsewhere = true;
  }
  const std::vector<std::string> names = check_names(use);
  const std::string near = elsewhere ? "" : nearest(name, names);
  fail_usage(elsewhere ? "the check '" + name + "' cannot stand here" : "unknown check '" + name + "'",
             near.empty() ? "here are " + list_of(names) : "did you mean '" + near + "'?");
}

std::vector<const Check*> checks_for(unsigned use) {
  std::vector<const Check*> found;
  for (const Check& check : table())
    if (check.uses & use) found.push_back(&check);
  return found;
}

std::vector<std::string> check_names(unsigned use) {
  std::vector<std::string> names;
  for (const Check* check : checks_for(use)) names.emplace_back(check->name);
  return names;
}

void require_judgeable(const Check& check, const std::vector<Example>& examples) {
  std::string list;
  size_t count = 0;
  for (const Example& example : examples) {
    const std::string what = check.missing(check_item(example));
    if (what.empty()) continue;
    if (++count <= kShown) list += "\n  example '" + example.id + "': " + what;
  }
  if (count == 0) return;
  if (count > kShown) list += "\n  and " + std::to_string(count - kShown) + " more";
  fail_input("check '" + std::string(check.name) + "'",
             std::to_string(count) + " of " + std::to_string(examples.size()) + " examples cannot be judged" +
                 list + "\n",
             "choose another check, or mend the dataset");
}

std::vector<EvalResult> judge(const Check& check, const std::vector<CheckItem>& items,
                              const SandboxOptions& sandbox) {
  std::vector<EvalResult> results = check.judge(items, sandbox);
  if (!results.empty() && results.size() != items.size())
    throw std::logic_error(std::string(check.name) + ": not a result for each item");
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].id != items[i].id)
      throw std::logic_error(std::string(check.name) + ": a result of another item");
  return results;
}

}  // namespace sdft
