// How alike a model's answers are to the seed's, by the vectors of what they say (infer/embeddings.h):
// DIR/eval/MODEL/TASK/similarity.json, {"embedder", "made_from", "values": [{"id", "cosine"}]}.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run/context.h"
#include "run/results.h"

namespace sdft {

// Measures the tasks of which the report compares answers (those that nothing judges, and kinds that compare
// them), for all of `models` but "seed", which has to be among them. `embedding_model`: a sentence encoder's
// folder; "": the seed's own hidden states. What was measured of the same answers with the same embedder
// stays. Prompts that were too long to be answered are left out. Error(kInput), Error(kInterrupted).
void similarity_stage(RunContext& run, const std::string& embedding_model,
                      const std::vector<std::string>& models);

// Of one model and task, in the order of the answers.
struct AnswerSimilarity {
  std::string embedder;             // by what: "all-minilm-l6-v2", "hidden states of the seed"
  std::vector<EvalResult> results;  // graded: the cosine, one below 0 as 0
};
// Nothing where it was not measured. Error(kInput) where it is of other answers than those of `data`.
std::optional<AnswerSimilarity> read_similarity(const std::filesystem::path& run_dir,
                                                const std::string& model, const TaskSettings& task,
                                                const TaskResults& data);

}  // namespace sdft
