// Checks: how an answer is judged, in the acceptance of rewrites, in evaluation tasks and between two models.
// One table (check.cpp) has a row a check; its code is a file of its name or family, which also makes the
// row. Thread safe, but for the sandbox (sandbox.h), which one thread may use at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "check/sandbox.h"
#include "data/example.h"

namespace sdft {

// Where a check may stand (a set of bits).
enum CheckUse : unsigned {
  kEveryRewrite = 1,   // acceptance: every rewrite has to pass it
  kAnswerCheck = 2,    // acceptance: what a rewrite has to keep, the recipe's `answer_check`
  kTaskCheck = 4,      // evaluation: a task's `check`
  kBetweenModels = 8,  // the report: a model's answer against the seed's
};

// What must be there to judge (a set of bits).
enum CheckNeeds : unsigned {
  kNeedsNothing = 0,
  kNeedsReference = 1,  // a reference answer
  kNeedsSandbox = 2,    // programs can be run
};

// What is judged. The texts belong to the caller and must outlive the item.
struct CheckItem {
  std::string id;                // of the example, and of its result
  std::string_view reference;    // the reference answer, without its reasoning trace
  std::string_view text;         // what the model wrote
  std::string_view answer;       // of it what follows the reasoning trace
  bool cut = false;              // the text ended at a limit, not with a stop token
  const Json* fields = nullptr;  // the record as it was ("tests", "answer", ...), where there is one
};
// An example with what a model wrote for it; without a text: what is known before anything is generated.
CheckItem check_item(const Example& example, std::string_view text = {}, bool cut = false);

enum class Verdict {
  kPass,    // right, accepted
  kFail,    // wrong, rejected
  kGraded,  // neither: the score says how good
};

struct EvalResult {
  std::string id;  // the item's
  Verdict verdict = Verdict::kPass;
  double score = 1;    // in [0, 1]; 1 and 0 for kPass and kFail
  std::string reason;  // of kFail, as a word that files and reports print: "answer_mismatch", "timed_out"
};
inline constexpr const char* kMismatch = "answer_mismatch";  // it is not the reference's answer
EvalResult result_of(const CheckItem& item, bool passed, const char* reason_of_failure);
// {"id", "score", "reason" (of a failure), "verdict" (where the score does not tell it)}, and back.
Json to_json(const EvalResult& result);
EvalResult result_from_json(const Json& json, const std::string& where);
std::map<std::string, EvalResult> by_id(std::vector<EvalResult> results);

struct Check {
  const char* name;
  unsigned uses;       // bits of CheckUse
  unsigned needs;      // bits of CheckNeeds
  const char* metric;  // what a report calls the mean of the scores; "" where none is made
  // What an item (without a model's text) lacks to be judged, as a sentence, or "".
  std::string (*missing)(const CheckItem& item);
  // A result an item, in order; all fail that lack something. No results at all: nothing is judged.
  std::vector<EvalResult> (*judge)(const std::vector<CheckItem>& items, const SandboxOptions& sandbox);
};

// The check of that name that may stand there (bits of CheckUse); else Error(kUsage) with the nearest.
const Check& find_check(const std::string& name, unsigned use);
// All that may stand there, in the table's order.
std::vector<const Check*> checks_for(unsigned use);
std::vector<std::string> check_names(unsigned use);

// Error(kInput) naming the examples that the check cannot judge: a reference answer without an integer or a
// call, a record without tests. Asked before answers are generated.
void require_judgeable(const Check& check, const std::vector<Example>& examples);

// The results of a check, a result an item, in order; none of "none". Error(kInterrupted) within a second of
// an interrupt; programs that still run are killed.
std::vector<EvalResult> judge(const Check& check, const std::vector<CheckItem>& items,
                              const SandboxOptions& sandbox = {});

// --- For the files of the checks ---

inline std::string nothing_missing(const CheckItem&) { return ""; }

// Check::judge of a check that looks at one item at a time.
template <EvalResult (*judge_one)(const CheckItem&)>
std::vector<EvalResult> each(const std::vector<CheckItem>& items, const SandboxOptions&) {
  std::vector<EvalResult> results;
  for (const CheckItem& item : items) {
    stop_if_interrupted();
    results.push_back(judge_one(item));
  }
  return results;
}

}  // namespace sdft
