// Self-distillation (Yang et al., ACL 2024): the seed model rewrites each reference answer; accepted rewrites
// become the training targets, the original stays elsewhere.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/prompt.h"
#include "infer/generator.h"
#include "sdft/likelihood.h"

namespace sdft {

// Which of an example's accepted candidates is taken.
enum class CandidateChoice {
  kFirst,     // the first; no further ones are sampled
  kLikeliest  // all are sampled; that with the highest mean log-probability per token under the seed
};
CandidateChoice find_candidate_choice(const std::string& name);  // "first", "likeliest"

struct DistillOptions {
  std::string distill_template = "chat_distill_using";
  std::string training_template = "chat";  // of the own answers, and under which likelihoods are measured
  std::string answer_check = "none";
  int64_t num_candidates = 1;  // the paper: one. Each is sampled from a stream of its own
  CandidateChoice choice = CandidateChoice::kFirst;
  std::vector<double> temperatures;  // of the first candidate, the second, …; the last holds on; none: that
                                     // of `generation`
  // The seed's answer without the reference comes first (2509.15157); rewritten is where it is not accepted.
  bool own_answer_first = false;
  // Error(kInput) where none of the first so many rewrites of a large dataset is accepted; 0: never.
  int64_t probe_samples = 0;
  GenerateOptions generation;
  // Where drafts (drafts.h) are kept: those under the distill template, and own answers.
  std::filesystem::path rewrites_dir, own_answers_dir;
};

// The reason where the prompt does not fit the model's context, so that there is no rewrite.
inline constexpr const char* kPromptTooLong = "prompt_too_long";
// The reason where the answer calls tools: a rewrite is text.
inline constexpr const char* kToolCall = "tool_call";
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
  std::string reason;   // why not: EvalResult::reason of the check that failed, kPromptTooLong, kToolCall
  std::string matched;  // what the check found
  AnswerLikelihood of_original, of_rewrite;  // to the seed under the training template, where accepted
};

// One example of the distilled dataset.
struct DistilledExample {
  std::string id;
  std::vector<DistilledTurn> turns;  // oldest first, the example's answer last
  bool accepted() const;             // all of them
};

// The candidates that were asked for in one round.
struct DistillRound {
  std::string name;  // "own", "1", "2", …
  size_t asked = 0, accepted = 0;
  int64_t tokens = 0;  // written
};

struct DistillSummary {
  size_t answers = 0, accepted = 0, unchanged = 0;  // turns; unchanged: accepted and equal to the original
  std::vector<DistillRound> rounds;
  std::map<std::string, size_t> rejected;  // by reason
  std::vector<std::string> too_long;       // ids
  double length_ratio = 0;                 // characters of accepted rewrites / of their originals
  // Mean per token under the seed, of the accepted turns' originals and of their rewrites: the difference is
  // the distribution gap.
  double logprob_original = 0, logprob_rewrite = 0;
};

// Called with the name of a round, and how many answers of how many are there.
using DistillProgress = std::function<void(const std::string& round, size_t done, size_t total)>;

// Every example of the dataset, in order, and dir/distilled.jsonl and dir/summary.json of them. What the
// model writes is kept as drafts, so that a killed call goes on.
std::vector<DistilledExample> distill(ModelView model, const Formatter& formatter, const Dataset& dataset,
                                      const DistillOptions& options, const std::filesystem::path& dir,
                                      const DistillProgress& on_progress);
DistillSummary read_summary(const std::filesystem::path& path);

// The distilled dataset that distill() wrote, checked against the dataset: a missing, additional or reordered
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
