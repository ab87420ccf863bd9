// What the evaluation of one model leaves of a task in its folder (docs/formats.md), whoever answered: the
// engine or a server.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "infer/answers.h"
#include "run/eval_set.h"
#include "run/results.h"

namespace sdft {

// What a model thinks of an item's questions, in their order.
struct Likelihoods {
  std::vector<double> log_likelihoods;
  std::vector<bool> greedy;
  std::string missing = {};  // why there is none: "prompt_too_long", kEndpointFailed
};
// A line of likelihoods.jsonl, and the file; what an endpoint failed to say is left out, to be asked again.
std::string line_of(const std::string& id, const Likelihoods& of);
std::map<std::string, Likelihoods> read_likelihoods(const std::filesystem::path& path);

// Of an item's answers: its id, and from the second on "#2".
std::string request_id(const EvalItem& item, int64_t repeat);

// scores.jsonl of a dataset's answers, in the order of the examples. opened: the prompts end inside a
// thinking model's trace.
void keep_checked(const std::filesystem::path& dir, const std::string& check, bool opened,
                  const std::vector<Example>& examples, const std::vector<Answer>& answers);
// Of a task file: answers.jsonl, and items.jsonl (values of all metrics) or what its check makes. `written`
// by request_id().
void keep_written(const std::filesystem::path& dir, const EvalSet& set,
                  const std::map<std::string, Answer>& written, bool opened);
// How far a model is from the seed along its answer to an item's question.
struct Divergence {
  Answer answer;  // the seed's
  Distance distance;
};
// answers.jsonl, the seed's answers, and items.jsonl; in the order of the items.
void keep_divergences(const std::filesystem::path& dir, const EvalSet& set,
                      const std::vector<Divergence>& all);
void keep_likelihoods(const std::filesystem::path& dir, const EvalSet& set,
                      const std::map<std::string, Likelihoods>& all);

}  // namespace sdft
