#include "sdft/acceptance.h"

#include <algorithm>

#include "base/problems.h"

namespace sdft {

// A loop that was cut is named a loop: a higher limit would not end it.
std::vector<std::string> default_acceptance() {
  return {"banned_phrase", "empty", "repetition", "token_limit", "refusal", "language"};
}

std::vector<ChosenCheck> acceptance_checks(const std::vector<std::string>& acceptance,
                                           const std::string& answer_check) {
  std::vector<ChosenCheck> checks;
  Problems problems;
  for (const std::string& text : acceptance)
    problems.gather([&] { checks.push_back(parse_check(text, kAcceptance)); });
  problems.gather([&] { checks.push_back(parse_check(answer_check, kAnswerCheck)); });
  problems.raise();
  return checks;
}

std::vector<EvalResult> judge_rewrites(const std::vector<ChosenCheck>& checks,
                                       const std::vector<CheckItem>& items, const JudgeOptions& options) {
  std::map<std::string, EvalResult> rejected;
  std::vector<CheckItem> open = items;
  for (const ChosenCheck& check : checks) {
    for (EvalResult& result : judge(check, open, options))
      if (result.verdict == Verdict::kFail) rejected.emplace(result.id, std::move(result));
    open.erase(std::remove_if(open.begin(), open.end(),
                              [&](const CheckItem& item) { return rejected.count(item.id) > 0; }),
               open.end());
  }
  std::vector<EvalResult> results;
  for (const CheckItem& item : items) {
    const auto found = rejected.find(item.id);
    results.push_back(found == rejected.end() ? result_of(item, true, "") : found->second);
  }
  return results;
}

}  // namespace sdft
