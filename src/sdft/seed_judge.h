// The seed model's own judgement of rewrites: for the check "seed_judge".
#pragma once

#include <atomic>
#include <string>

#include "check/check.h"
#include "data/prompt.h"
#include "infer/scorer.h"

namespace sdft {

// JudgeOptions::probability_of_yes. The model is asked, under the prompt template, whether the item's answer
// says what its reference says; of its next words "Yes" and "No" the probability of "Yes". A
// prompt beyond the context is judged 0. Model, formatter and stop must outlive what is returned.
std::function<std::vector<double>(const std::vector<CheckItem>&)> seed_judge(
    ModelView model, const Formatter& formatter, const std::string& prompt_template,
    const std::atomic<bool>* stop = nullptr);

}  // namespace sdft
