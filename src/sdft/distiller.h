// Self-distillation (Yang et al., ACL 2024): the seed model rewrites each reference answer; accepted rewrites
// become the training targets, the original stays elsewhere.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/reasoning.h"
#include "infer/generator.h"
#include "sdft/acceptance.h"
#include "sdft/distilled.h"
#include "sdft/drafts.h"

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
  std::vector<std::string> acceptance = default_acceptance();
  std::string answer_check = "none";
  int64_t num_candidates = 1;  // the paper: one. Each is sampled from a stream of its own
  CandidateChoice choice = CandidateChoice::kFirst;
  std::vector<double> temperatures;  // of the first candidate, the second, …; the last holds on; none: that
                                     // of `generation`
  // The seed's answer without the reference comes first (2509.15157); rewritten is where it is not accepted.
  bool own_answer_first = false;
  // Error(kInput) where none of the first so many rewrites is accepted; 0: never.
  int64_t probe_samples = 0;
  // Accepted turns, evenly spread, whose likelihoods are measured; 0: all, and so where these choose.
  int64_t gap_samples = 0;
  Reasoning reasoning = Reasoning::kDrop;  // whether a rewrite keeps its trace, and the prompt the original's
  GenerateOptions generation;
  Writer writer;  // of all that is written; null: the model
  // Told of candidates as they are judged, some at a time.
  std::function<void(const std::vector<DistilledTurn>&)> on_judged;
  // Where drafts (drafts.h) are kept: those under the distill template, and own answers.
  std::filesystem::path rewrites_dir, own_answers_dir;
};

// Called with the name of a round, and how many answers of how many are there.
using DistillProgress = std::function<void(const std::string& round, const Standing& answers, size_t total)>;

// Every example of the dataset, in order, and dir/distilled.jsonl and dir/summary.json of them. What the
// model writes is kept as drafts, so that a killed call goes on.
std::vector<DistilledExample> distill(ModelView model, const Formatter& formatter, const Dataset& dataset,
                                      const DistillOptions& options, const std::filesystem::path& dir,
                                      const DistillProgress& on_progress);

}  // namespace sdft
