// What a training learns besides its task, so that less is forgotten: examples that are given, or such as the
// seed makes up.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/prompt.h"
#include "infer/generator.h"

namespace sdft {

enum class ReplaySource {
  kDataset,       // examples with their own answers
  kOwnAnswers,    // the seed answers their prompts (arXiv 2605.29495)
  kSelfDialogue,  // the seed makes up the questions, too (arXiv 2602.20162)
};
const std::vector<std::string>& replay_source_names();  // "dataset", "own_answers", "self_dialogue"
// Error(kUsage) for others.
ReplaySource find_replay_source(const std::string& name);
std::string describe_replay_sources();  // a line each

struct ReplayOptions {
  std::string training_template = "chat";
  int64_t turns = 1;  // questions and answers of a dialogue
  GenerateOptions generation;
};
using ReplayProgress = std::function<void(const std::string& part, const Standing& answers, size_t total)>;

// The examples with the model's own answers in place of theirs; left out are those whose answer did not end
// by itself or says nothing, and conversations, whose earlier answers are not the model's. Kept in `dir` as
// they come: a call that goes on ends with the same.
std::vector<Example> own_answers(ModelView model, const Formatter& formatter,
                                 const std::vector<Example>& examples, const ReplayOptions& options,
                                 const std::filesystem::path& dir, const ReplayProgress& on_progress);

// Up to `count` conversations that the model makes up with itself, through its chat template: a question
// stands where the user's message would, an answer where its own would. Left out are those in which one of
// them did not end by itself or says nothing, and those that begin as another one does. Kept as above.
std::vector<Example> self_dialogues(ModelView model, const Formatter& formatter, size_t count,
                                    const ReplayOptions& options, const std::filesystem::path& dir,
                                    const ReplayProgress& on_progress);

}  // namespace sdft
