// Facts of the document as all three reports tell them; plain text.
#pragma once

#include <string>

#include "report/report.h"

namespace sdft::report {

std::string rewrites_file(const Distillation& d);  // "distill/distilled.jsonl"
int64_t tokens_of(const Distillation& d);          // generated in all rounds
std::string round_in_words(const Round& round);    // "own answer", "candidate 2"
std::string small_percent(double fraction);        // "0.37 %": of what is far below one

std::string best_validation(const Curve& curve);  // "0.912 at step 120"

// What a variant's training left; kDash for what was not recorded.
struct VariantFacts {
  std::string steps;       // "250"
  std::string loss;        // "2.310 → 0.840"
  std::string validation;  // "0.912 at step 120"
  std::string shift;       // "1.2 %"
};
VariantFacts facts_of(const Document& document, const std::string& variant);

}  // namespace sdft::report
