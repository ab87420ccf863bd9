// Acceptance of rewrites: a rewrite that lost the answer, talks about its task or does not end is not
// learned; the original answer stays instead.
#pragma once

#include <string>
#include <vector>

#include "check/check.h"

namespace sdft {

// What a recipe asks for that names nothing else.
std::vector<std::string> default_acceptance();

// The checks that a rewrite has to pass, in their order: the recipe's `acceptance`, then its `answer_check`.
// Error(kUsage) with all that is wrong with them (parse_check).
std::vector<ChosenCheck> acceptance_checks(const std::vector<std::string>& acceptance,
                                           const std::string& answer_check);

// A result an item, in order: passed, or that of the first check which fails it; later ones are not asked.
// An item's `reference` is the original answer, `text` the rewrite.
std::vector<EvalResult> judge_rewrites(const std::vector<ChosenCheck>& checks,
                                       const std::vector<CheckItem>& items, const JudgeOptions& options = {});

}  // namespace sdft
