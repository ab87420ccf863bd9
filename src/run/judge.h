// Two models' answers before a judge: AlpacaEval's win rate (check/preference.h, eval/length_controlled.h).
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "check/preference.h"
#include "infer/model_bundle.h"
#include "remote/endpoint.h"

namespace sdft {

struct JudgingFiles {
  std::filesystem::path outputs, baseline;  // model_outputs.json of both
  std::filesystem::path output_dir;         // annotations.json, judge-….jsonl, leaderboard.csv
  std::filesystem::path length_reference;   // df_gamed.csv; "": the length-controlled rate without it
};

// A server's model. Replies' first tokens count where the server gives candidates.
Judge judge_of(const Endpoint& endpoint);
// A model folder: what it replies is the likelier of the two labels, with their probabilities.
Judge judge_of(ModelBundle& bundle, const JudgeTemplate& labels, const std::atomic<bool>* stop);

struct JudgeIdentity {
  std::string name;
  std::string content;  // what its replies depend on: replies of another one are not taken for its own
};

// Judges what is not judged yet, writes the files, returns the table for a terminal. Error(kInput) where a
// file is damaged or no pair could be judged.
std::string judge_outputs(const JudgingFiles& files, const PreferenceOptions& options, const Judge& judge,
                          const JudgeIdentity& who);

}  // namespace sdft
