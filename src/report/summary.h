// Facts of the document as all three reports tell them; plain text.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {

std::string rewrites_file(const Distillation& d);  // "distill/distilled.jsonl"
int64_t tokens_of(const Distillation& d);          // generated in all rounds
// ", of 256 of the accepted": where the distribution gap is not of all of them.
std::string measured_part(const Distillation& d);
std::string round_in_words(const Round& round);  // "own answer", "candidate 2"
std::string small_percent(double fraction);      // "0.37 %": of what is far below one

std::string best_validation(const Curve& curve);  // "0.912 at step 120"

// What a variant's training left; kDash for what was not recorded.
struct VariantFacts {
  std::string steps;       // "250"
  std::string loss;        // "2.310 → 0.840"
  std::string validation;  // "0.912 at step 120"
  std::string shift;       // "1.2 %"
};
VariantFacts facts_of(const Document& document, const std::string& variant);

// A paired difference and its test; the tasks belong to the evaluation.
struct TestFacts {
  const Task* task;
  std::string model, against;
  std::string pairs;       // "200"
  std::string difference;  // "−4.0 [−8.1, −0.2]", points
  std::string p, p_adjusted;
  std::string detectable;  // "6.1", points
  Outcome outcome;
};
// In the order of the tables; of documents whose differences were not tested none.
std::vector<TestFacts> tests_of(const Evaluation& evaluation);
extern const char* const kTestsNote;  // what the columns mean

// Where answers are missing or were cut.
struct AnswerFacts {
  const Task* task;
  std::string model;
  std::string answered;    // "197"
  std::string unanswered;  // "3: prompt too long 2, endpoint failed 1"
  std::string cut;         // "12"
};
std::vector<AnswerFacts> incomplete_answers(const Evaluation& evaluation);
extern const char* const kIncompleteNote;

}  // namespace sdft::report
