// The distilled dataset: what became of each answer of a dataset, and what is learned of it.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "sdft/likelihood.h"

namespace sdft {

// The reason where the prompt does not fit the model's context, so that there is no rewrite.
inline constexpr const char* kPromptDidNotFit = "prompt_too_long";
// The reason where the answer calls tools: a rewrite is text.
inline constexpr const char* kToolCall = "tool_call";
// The reason where the token limit came before any answer, within a reasoning trace.
inline constexpr const char* kNoAnswer = "cut_by_token_limit";
inline constexpr const char* kUnanswered = "endpoint_failed";  // a server that was to write it did not
// The reason where the record says that its answer is context only.
inline constexpr const char* kNotLearned = "not_learned";

// One of the assistant's turns and what became of it.
struct DistilledTurn {
  std::string id;  // of turns_of(): the example's, or that of one of its earlier turns
  std::string original;
  std::string rewrite;  // as generated, stripped: the accepted one, else the first that was written; "" where
                        // the prompt was too long
  int64_t candidate = 1;  // which one `rewrite` is, from 1; 0: the own answer
  bool accepted = false;
  std::string reason;   // why not: EvalResult::reason of the check that failed, kPromptDidNotFit, kToolCall
  std::string matched;  // what the check found
  // A call of a tool, or context: nobody asks for another one.
  bool left_out() const { return reason == kToolCall || reason == kNotLearned; }
  AnswerLikelihood of_original, of_rewrite;  // to the seed under the training template, where accepted
};

// One example of the distilled dataset.
struct DistilledExample {
  std::string id;
  std::vector<DistilledTurn> turns;  // oldest first, the example's answer last
  bool accepted() const;             // all that could be rewritten
};

// The candidates that were asked for in one round.
struct DistillRound {
  std::string name;  // "own", "1", "2", …
  size_t asked = 0, accepted = 0;
  int64_t tokens = 0;  // written
};

struct DistillSummary {
  // Turns that could be rewritten, and of them; unchanged: accepted and equal to the original.
  size_t answers = 0, accepted = 0, unchanged = 0;
  size_t left_out = 0;  // kToolCall and kNotLearned
  std::vector<DistillRound> rounds;
  std::map<std::string, size_t> rejected;  // by reason
  std::vector<std::string> too_long;       // ids
  // NaN where nothing was measured, null in the file.
  double length_ratio = NAN;  // characters of accepted rewrites / of their originals
  // Mean per token under the seed, of the originals of so many accepted turns and of their rewrites: the
  // difference is the distribution gap.
  size_t measured = 0;
  double logprob_original = NAN, logprob_rewrite = NAN;
};

// summary.json and distilled.jsonl of a distill stage's folder.
void write_summary(const DistillSummary& summary, const std::filesystem::path& path);
DistillSummary read_summary(const std::filesystem::path& path);
// A line an example, in the dataset's order: the record with its accepted rewrites, and what became of each.
void write_distilled(const Dataset& dataset, const std::vector<DistilledExample>& distilled,
                     const std::filesystem::path& path);

// Checked against the dataset: a missing, additional or reordered
// id is an Error(kInput).
std::vector<DistilledExample> read_distilled(const std::filesystem::path& path, const Dataset& dataset);

// What is learned of a distilled dataset.
struct TargetOptions {
  uint64_t seed = 0;
  // Share of the examples whose rewrites are used, drawn example by example, so that a larger share holds a
  // smaller one; the others keep their originals.
  double distilled_fraction = 1;
  bool drop_rejected = false;  // leave out an example with a turn that was not accepted; else its original
};
std::vector<Example> targets_of(const Dataset& dataset, const std::vector<DistilledExample>& distilled,
                                const TargetOptions& options);

}  // namespace sdft
