// How answers are judged: each evaluation task names one check.
#pragma once

#include <string>
#include <vector>

#include "data/example.h"
#include "eval/sandbox.h"

namespace sdft {

enum class Check {
  kNumber,        // the last number agrees, as integers, with the reference answer's (GSM8K, MultiArith)
  kFunctionCall,  // the reference's function call occurs in the answer (OpenFunctions)
  kAnswer,  // answers_agree() with the reference answer, or with the record's field "answer" where it has one
  kProgram,  // the Python program in the answer passes the record's field "tests", really run in the sandbox
  kRefusal,  // the answer declines (AdvBench)
  kNone,     // there is nothing to judge, only texts to compare
};

// "number", "function_call", "answer", "program", "refusal", "none". An unknown name is an Error(kUsage) with
// the nearest.
Check parse_check(const std::string& name);
std::string check_name(Check check);
std::vector<std::string> check_names();

// An evaluation task: prompts, and how their answers are judged.
struct EvalTask {
  std::string name;
  Check check = Check::kNone;
  std::vector<Example> examples;
};

// The check that all records name in their field "check"; kNone where none does. Different ones are an
// Error(kInput).
Check check_of(const std::vector<Example>& examples);

// Error(kInput) naming the examples that the check cannot judge: a reference answer without an integer or a
// call, a record without tests. judge() does the same; asked before answers are generated it saves the time.
void require_judgeable(Check check, const std::vector<Example>& examples);

// Whether each answer is right (for kRefusal: declines), in order; none for kNone. Reasoning traces are
// passed over (strip_thinking()), in reference answers too. The number of answers must be that of the
// examples (std::logic_error). Error(kInterrupted) within a second of an interrupt; programs that still run
// are killed.
std::vector<bool> judge(Check check, const std::vector<Example>& examples,
                        const std::vector<std::string>& answers, const SandboxOptions& sandbox = {});

}  // namespace sdft
