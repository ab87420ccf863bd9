// "seed_judge": the seed model itself, asked whether the rewrite says what the original says, says yes.
#include <fmt/format.h>

#include <stdexcept>

#include "check/check.h"

namespace sdft {
namespace {

std::vector<EvalResult> judge_by_seed(const std::vector<CheckItem>& items, const Argument& argument,
                                      const JudgeOptions& options) {
  if (!options.probability_of_yes) throw std::logic_error("seed_judge: nobody lends a model");
  const std::vector<double> yes = options.probability_of_yes(items);
  if (yes.size() != items.size()) throw std::logic_error("seed_judge: not a probability for each item");
  std::vector<EvalResult> results;
  for (size_t i = 0; i < items.size(); ++i)
    results.push_back(
        result_of(items[i], yes[i] >= argument.low, "seed_judge", fmt::format("{:.2g}", yes[i])));
  return results;
}

}  // namespace

Check seed_judge_check() {
  return {"seed_judge",
          kAcceptance,
          "the seed model, asked whether it says what the original says, says yes with this probability",
          judge_by_seed,
          kNeedsSeed,
          "",
          nothing_missing,
          "MIN",
          read_share};
}

}  // namespace sdft
