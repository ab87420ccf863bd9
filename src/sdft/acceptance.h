// Acceptance of rewrites: a rewrite that lost the answer, talks about its task or does not end is not
// learned; the original answer stays instead.
#pragma once

#include <string>
#include <vector>

#include "check/check.h"

namespace sdft {

// The checks that a rewrite has to pass, in their order: those of every rewrite, then the one that the
// recipe's `answer_check` names. Error(kUsage) where there is no such check.
std::vector<const Check*> acceptance_checks(const std::string& answer_check);

// A result an item, in order: passed, or that of the first check which fails it; later ones are not asked.
// An item's `reference` is the original answer, `text` the rewrite.
std::vector<EvalResult> judge_rewrites(const std::vector<const Check*>& checks,
                                       const std::vector<CheckItem>& items);

}  // namespace sdft
