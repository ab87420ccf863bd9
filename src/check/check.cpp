#include "check/check.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/utf8.h"
#include "data/thinking.h"

namespace sdft {

// The rows, each made by the file of the check or of its family.
Check paper_check();
Check banned_phrase_check();
Check empty_check();
Check repetition_check();
Check token_limit_check();
Check declined_check();
Check language_check();
Check length_ratio_check();
Check number_check();
Check final_number_check();
Check function_call_check();
Check call_check();
Check bfcl_check();
Check choice_check();
Check code_check();
Check exact_check();
Check answer_check();
Check regex_check();
Check json_check();
Check program_check();
Check similarity_check();
Check seed_judge_check();
Check refusal_check();
Check declines_check();
Check instructions_check();
std::vector<Check> overlap_checks();
Check closeness_check();
Check bleu4_check();

namespace {
constexpr size_t kShown = 20;  // examples in a message

constexpr size_t kLongestMatch = 80;  // bytes of EvalResult::matched

std::vector<EvalResult> judge_nothing(const std::vector<CheckItem>&, const Argument&, const JudgeOptions&) {
  return {};
}

// In the order in which lists name them.
const std::vector<Check>& table() {
  static const std::vector<Check> kRows = [] {
    std::vector<Check> rows = {
        {"none", kAcceptance | kAnswerCheck | kTaskCheck, "everything; nothing is judged", judge_nothing},
        paper_check(),
        banned_phrase_check(),
        empty_check(),
        repetition_check(),
        token_limit_check(),
        declined_check(),
        language_check(),
        length_ratio_check(),
        number_check(),
        final_number_check(),
        function_call_check(),
        call_check(),
        bfcl_check(),
        choice_check(),
        code_check(),
        exact_check(),
        answer_check(),
        regex_check(),
        json_check(),
        program_check(),
        similarity_check(),
        seed_judge_check(),
        refusal_check(),
        declines_check(),
        instructions_check(),
        closeness_check(),
        bleu4_check()};
    for (const Check& check : overlap_checks()) rows.push_back(check);
    return rows;
  }();
  return kRows;
}

}  // namespace

CheckItem check_item(const Example& example, std::string_view text, bool cut) {
  return {example.id, example.instruction, strip_thinking(example.response), text, strip_thinking(text),
          cut,        &example.fields};
}

EvalResult result_of(const CheckItem& item, bool passed, const char* reason_of_failure,
                     std::string_view matched) {
  if (passed) return {item.id, Verdict::kPass, 1, ""};
  std::string shown = utf8_lossy(std::string(matched.substr(0, 2 * kLongestMatch)));
  if (shown.size() > kLongestMatch) {
    size_t end = kLongestMatch;
    while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xc0) == 0x80) --end;
    shown = shown.substr(0, end) + "…";
  }
  return {item.id, Verdict::kFail, 0, reason_of_failure, shown};
}

EvalResult agreement(const CheckItem& item, const std::optional<std::string>& wanted,
                     const std::optional<std::string>& given) {
  return result_of(item, wanted && wanted == given, kMismatch,
                   given.value_or("nothing") + " instead of " + wanted.value_or("nothing"));
}

EvalResult unanswered(const std::string& id, const std::string& reason) {
  return {id, Verdict::kUnanswered, std::numeric_limits<double>::quiet_NaN(), reason};
}

Json to_json(const EvalResult& result) {
  Json json = {{"id", result.id}};
  switch (result.verdict) {
    case Verdict::kPass:
    case Verdict::kFail:
      json["score"] = result.verdict == Verdict::kPass ? 1 : 0;
      break;
    case Verdict::kGraded:
      json["score"] = result.score;
      json["verdict"] = "graded";
      break;
    case Verdict::kUnanswered:
      json["verdict"] = "unanswered";
      break;
  }
  if (!result.reason.empty()) json["reason"] = result.reason;
  if (!result.matched.empty()) json["matched"] = result.matched;
  return json;
}

EvalResult result_from_json(const Json& json, const std::string& where) {
  EvalResult result;
  result.id = require<std::string>(json, "id", where);
  result.reason = value_or<std::string>(json, "reason", "", where);
  result.matched = value_or<std::string>(json, "matched", "", where);
  const auto verdict = value_or<std::string>(json, "verdict", "", where);
  if (verdict == "unanswered" && !json.contains("score")) return unanswered(result.id, result.reason);
  result.score = require<double>(json, "score", where);
  const bool graded = verdict == "graded";
  if (!(result.score >= 0 && result.score <= 1) || !(graded || verdict.empty()) ||
      (!graded && result.score != 0 && result.score != 1))
    fail_input(
        where,
        "is no result of a check: expected a score of 0 or 1, or \"verdict\": \"graded\" with one from "
        "0 to 1, or \"unanswered\" without",
        "remove the task's folder, and sdft eval makes it anew");
  result.verdict = graded ? Verdict::kGraded : result.score == 1 ? Verdict::kPass : Verdict::kFail;
  return result;
}

std::map<std::string, EvalResult> by_id(std::vector<EvalResult> results) {
  std::map<std::string, EvalResult> map;
  for (EvalResult& result : results) map.emplace(result.id, std::move(result));
  return map;
}

namespace {
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
             near.empty() ? "here are " + joined(names) : "did you mean '" + near + "'?");
}

// "regex:PATTERN", as help shows it.
std::string usage_of(const Check& check) {
  const std::string takes = check.takes;
  if (takes.empty()) return check.name;
  return takes[0] == '[' ? check.name + ("[:" + takes.substr(1)) : check.name + (":" + takes);
}
}  // namespace

ChosenCheck parse_check(const std::string& text, unsigned use) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const Check& check = find_check(name, use);
  ChosenCheck chosen{&check, {}};
  if (colon != std::string::npos) chosen.argument.text = text.substr(colon + 1);
  const std::string_view takes = check.takes;
  if (colon != std::string::npos && takes.empty())
    fail_usage("the check '" + name + "' takes no argument, found '" + text + "'");
  if (chosen.argument.text.empty() && !takes.empty() && (colon != std::string::npos || takes[0] != '['))
    fail_usage("the check '" + text + "' lacks its argument", "write " + usage_of(check));
  try {
    if (!chosen.argument.text.empty()) check.read(&chosen.argument);
  } catch (const Error& error) {
    if (error.code() == ExitCode::kInterrupted) throw;
    fail_usage("the check '" + text + "': " + error.what(), "write " + usage_of(check));
  }
  return chosen;
}

std::string fault_of_check(const std::string& text, unsigned use) {
  try {
    parse_check(text, use);
    return "";
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    return error.what();
  }
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

std::string check_list(unsigned use) {
  std::string list;
  for (const Check* check : checks_for(use)) {
    std::string usage = usage_of(*check);
    usage.resize(std::max<size_t>(usage.size(), 22), ' ');
    list += (list.empty() ? "" : "\n") + usage + " " + check->help;
  }
  return list;
}

Unjudgeable unjudgeable(const ChosenCheck& check, const std::vector<Example>& examples) {
  Unjudgeable found;
  for (const Example& example : examples) {
    const std::string what = check.missing(check_item(example));
    if (what.empty()) continue;
    if (found.ids.empty()) found.what = what;
    found.ids.push_back(example.id);
  }
  return found;
}

void require_judgeable(const ChosenCheck& check, const std::vector<Example>& examples) {
  std::string list;
  size_t count = 0;
  for (const Example& example : examples) {
    const std::string what = check.missing(check_item(example));
    if (what.empty()) continue;
    if (++count <= kShown) list += "\n  example '" + example.id + "': " + what;
  }
  if (count == 0) return;
  if (count > kShown) list += "\n  and " + std::to_string(count - kShown) + " more";
  fail_input("check '" + std::string(check.check->name) + "'",
             std::to_string(count) + " of " + std::to_string(examples.size()) + " examples cannot be judged" +
                 list + "\n",
             "choose another check, or mend the dataset");
}

std::vector<EvalResult> judge(const ChosenCheck& chosen, const std::vector<CheckItem>& items,
                              const JudgeOptions& options) {
  const Check& check = *chosen.check;
  if (items.empty()) return {};
  std::vector<EvalResult> results = check.judge(items, chosen.argument, options);
  if (!results.empty() && results.size() != items.size())
    throw std::logic_error(std::string(check.name) + ": not a result for each item");
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].id != items[i].id)
      throw std::logic_error(std::string(check.name) + ": a result of another item");
  return results;
}

void read_share(Argument* argument) {
  const std::string& text = argument->text;
  char* end = nullptr;
  argument->low = std::strtod(text.c_str(), &end);
  const bool plain = text.find_first_not_of("0123456789.") == std::string::npos;
  if (!plain || *end != '\0' || !(argument->low <= 1)) fail_usage("expected a number from 0 to 1");
}

}  // namespace sdft
