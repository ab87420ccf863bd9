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
#include "sdft/acceptance.h"

namespace sdft {

struct DistillOptions {
  std::string distill_template = "chat_distill_using";
  std::string training_template = "chat";  // under which the distribution gap is measured
  std::vector<std::string> acceptance = default_acceptance();
  std::string answer_check = "none";
  int64_t rewrite_attempts =
      1;  // the paper: one. More: a rejected rewrite is sampled again, from a stream of its own
  double distilled_fraction = 1.0;
  GenerateOptions generation;
};

// The reason where the prompt does not fit the model's context, so that there is no rewrite.
inline constexpr const char* kPromptTooLong = "prompt_too_long";

// One example of the distilled dataset.
struct DistilledExample {
  std::string id;
  std::string original;
  std::string
      rewrite;  // as generated, stripped: the accepted one, else the first; "" where the prompt was too long
  int64_t attempt = 1;  // which attempt `rewrite` is from
  bool accepted = false;
  std::string reason;      // why not: EvalResult::reason of the check that failed, prompt_too_long, tool_call
  bool distilled = false;  // the target is the rewrite: accepted, and drawn by distilled_fraction
  const std::string& target() const { return distilled ? rewrite : original; }
};

struct DistillSummary {
  size_t examples = 0, accepted = 0, unchanged = 0;  // unchanged: accepted and equal to the original
  std::vector<size_t> accepted_at;                   // of the accepted, by attempt: [0] at the first
  std::map<std::string, size_t> rejected;            // by reason
  std::vector<std::string> too_long;                 // ids
  double length_ratio = 0;                           // characters of accepted rewrites / of their originals
  double logprob_original =
      0;  // mean per-token log-probability under the seed of the accepted examples' originals
  double logprob_rewrite = 0;     // and of their rewrites: the difference is the distribution gap
  double distilled_fraction = 0;  // of the targets that are rewrites
};

// Writes dir/rewrites.jsonl while generating (resumable; further attempts to rewrites-2.jsonl and so on),
// then dir/distilled.jsonl: every example of the dataset, by id and in order. on_progress says how many
// answers of how many of an attempt are there. The model must have no adapter on.
std::vector<DistilledExample> distill(
    ModelView model, const Formatter& formatter, const Dataset& dataset, const DistillOptions& options,
    const std::filesystem::path& dir,
    const std::function<void(int64_t attempt, size_t done, size_t total)>& on_progress);
DistillSummary summarize(ModelView model, const Formatter& formatter, const Dataset& dataset,
                         const std::vector<DistilledExample>& distilled, const DistillOptions& options);
Json to_json(const DistillSummary& summary);
DistillSummary summary_from_json(const Json& json, const std::string& where);

// The distilled dataset that distill() wrote, checked against the dataset: a missing, additional or reordered
// id is an Error(kInput).
std::vector<DistilledExample> read_distilled(const std::filesystem::path& path, const Dataset& dataset);

}  // namespace sdft
