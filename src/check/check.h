// Checks: how an answer is judged, in the acceptance of rewrites, in evaluation tasks and between two models.
// One table (check.cpp) has a row a check; its code is a file of its name or family, which also makes the
// row. A text names a check and its argument: "number", "length_ratio:0.3-4". Thread safe, but for the
// sandbox (sandbox.h), which one thread may use at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/regex.h"
#include "check/sandbox.h"
#include "data/example.h"

namespace sdft {

// Where a check may stand (a set of bits).
enum CheckUse : unsigned {
  kAcceptance = 1,     // the recipe's `acceptance`: what a rewrite has to pass
  kAnswerCheck = 2,    // the recipe's `answer_check`: what a rewrite has to keep of its original
  kTaskCheck = 4,      // evaluation: a task's `check`
  kBetweenModels = 8,  // the report: a model's answer against the seed's
};

// What must be there to judge (a set of bits).
enum CheckNeeds : unsigned {
  kNeedsNothing = 0,
  kNeedsReference = 1,  // a reference answer
  kNeedsSandbox = 2,    // programs can be run
  kNeedsSeed = 4,       // JudgeOptions::probability_of_yes
};

// What is judged. The texts belong to the caller and must outlive the item.
struct CheckItem {
  std::string id;                // of the example, and of its result
  std::string_view question;     // the example's instruction; "" where nobody knows
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
  // There was no answer to judge: the prompt was too long, an endpoint failed. Not a wrong answer: it counts
  // in no mean. No check says so; whoever asked the model does.
  kUnanswered,
};

struct EvalResult {
  std::string id;  // the item's
  Verdict verdict = Verdict::kPass;
  double score = 1;    // in [0, 1]; 1 and 0 for kPass and kFail, NaN for kUnanswered
  std::string reason;  // of kFail and kUnanswered, as a word that files and reports print: "answer_mismatch",
                       // "timed_out", "prompt_too_long", "endpoint_failed"
  std::string matched = {};  // what was found, in few words: the phrase, "fr instead of en", "6 instead of 5"
};
inline constexpr const char* kMismatch = "answer_mismatch";  // it is not the reference's answer
// `matched` is kept of failures only; a long one is shortened.
EvalResult result_of(const CheckItem& item, bool passed, const char* reason_of_failure,
                     std::string_view matched = {});
// The same for what two texts were found to say; both are there and equal, or kMismatch.
EvalResult agreement(const CheckItem& item, const std::optional<std::string>& wanted,
                     const std::optional<std::string>& given);
// Of an item without an answer.
EvalResult unanswered(const std::string& id, const std::string& reason);
// {"id", "score" (unless unanswered), "reason" (of a failure), "matched" (where there is something),
// "verdict" (where the score does not tell it: "graded", "unanswered")}, and back.
Json to_json(const EvalResult& result);
EvalResult result_from_json(const Json& json, const std::string& where);
std::map<std::string, EvalResult> by_id(std::vector<EvalResult> results);

// What stands behind a check's name and a colon. Which fields have a meaning is the check's matter.
struct Argument {
  std::string text;                                          // as it was written; "" where there is none
  double low = 0, high = 0;                                  // of "0.4", of "0.3-4"
  std::shared_ptr<const Regex> pattern;                      // of a regular expression
  std::string file;                                          // the content of the file that it names
  std::vector<std::pair<std::string, std::string>> phrases;  // of that: language ("": any), phrase
};

struct JudgeOptions {
  SandboxOptions sandbox = {};
  // How likely the seed model finds that each item's answer says what its reference says, in [0, 1].
  // Who has a model gives it; checks with kNeedsSeed need it.
  std::function<std::vector<double>(const std::vector<CheckItem>&)> probability_of_yes = {};
};

inline std::string nothing_missing(const CheckItem&, const Argument&) { return ""; }

struct Check {
  const char* name;  // once for each place: acceptance may judge refusals by another rule than tasks
  unsigned uses;     // bits of CheckUse
  const char* help;  // a line: what passes
  // A result an item, in order; all fail that lack something. No results at all: nothing is judged.
  std::vector<EvalResult> (*judge)(const std::vector<CheckItem>& items, const Argument& argument,
                                   const JudgeOptions& options);
  unsigned needs = kNeedsNothing;  // bits of CheckNeeds
  const char* metric = "";         // what a report calls the mean of the scores; "" where none is made
  // What an item (without a model's text) lacks to be judged, as a sentence, or "".
  std::string (*missing)(const CheckItem& item, const Argument& argument) = nothing_missing;
  // The argument as help shows it: "" none, "MIN", "LOW-HIGH", "[FILE]" where it may be left out.
  const char* takes = "";
  // Fills the argument from its text; Error(kUsage) says what is wrong.
  void (*read)(Argument* argument) = nullptr;
};

// A check as a recipe names it.
struct ChosenCheck {
  const Check* check;
  Argument argument;
  std::string missing(const CheckItem& item) const { return check->missing(item, argument); }
};

// The check that `text` ("name" or "name:argument") names there (bits of CheckUse). Error(kUsage): no such
// check, with the nearest; an argument that is missing, not wanted or malformed; a file that cannot be read.
ChosenCheck parse_check(const std::string& text, unsigned use);
// What parse_check() would say, or "".
std::string fault_of_check(const std::string& text, unsigned use);
// All that may stand there, in the table's order; their names; and a help text with a line each.
std::vector<const Check*> checks_for(unsigned use);
std::vector<std::string> check_names(unsigned use);
std::string check_list(unsigned use);

// Error(kInput) naming the examples that the check cannot judge: a reference answer without an integer or a
// call, a record without tests. Asked before answers are generated.
void require_judgeable(const ChosenCheck& check, const std::vector<Example>& examples);
// The ids of examples that the check cannot judge, and what the first of them lacks.
struct Unjudgeable {
  std::vector<std::string> ids;
  std::string what;
};
Unjudgeable unjudgeable(const ChosenCheck& check, const std::vector<Example>& examples);

// The results of a check, a result an item, in order; none of "none". Error(kInterrupted) within a second of
// an interrupt; programs that still run are killed.
std::vector<EvalResult> judge(const ChosenCheck& check, const std::vector<CheckItem>& items,
                              const JudgeOptions& options = {});

// --- For the files of the checks ---

// Argument::low from "0.4", a number from 0 to 1.
void read_share(Argument* argument);

// Check::judge of a check that looks at one item at a time, and perhaps at its argument.
template <auto judge_one>
std::vector<EvalResult> each(const std::vector<CheckItem>& items, const Argument& argument,
                             const JudgeOptions&) {
  std::vector<EvalResult> results;
  for (const CheckItem& item : items) {
    stop_if_interrupted();
    if constexpr (std::is_invocable_v<decltype(judge_one), const CheckItem&, const Argument&>) {
      results.push_back(judge_one(item, argument));
    } else {
      results.push_back(judge_one(item));
    }
  }
  return results;
}

}  // namespace sdft
