#include "sdft/acceptance.h"

#include <algorithm>

namespace sdft {

std::vector<const Check*> acceptance_checks(const std::string& answer_check) {
  std::vector<const Check*> checks = checks_for(kEveryRewrite);
  checks.push_back(&find_check(answer_check, kAnswerCheck));
  return checks;
}

std::vector<EvalResult> judge_rewrites(const std::vector<const Check*>& checks,
                                       const std::vector<CheckItem>& items) {
  std::map<std::string, EvalResult> rejected;
  std::vector<CheckItem> open = items;
  for (const Check* check : checks) {
    for (EvalResult& result : judge(*check, open))
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
