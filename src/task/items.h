// What a model is asked: a task's documents as prompts, and its answers as values of metrics.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "task/task.h"

namespace sdft {

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string content;
  std::string delimiter = {};  // what follows it in plain text
};

// One question to the model: written on from `messages`, or how likely `continuation` is behind them.
struct Question {
  std::vector<Message> messages;
  std::string continuation;  // of log-likelihoods
};
// The messages one after the other, with their delimiters.
std::string plain_text(const std::vector<Message>& messages);
// What a chat template gets: a system message where there is one, then one user's message with all examples,
// then where the answer is begun its beginning (gen_prefix).
std::vector<Message> single_turn(const std::vector<Message>& messages);

struct EvalItem {
  std::string id;  // "TASK/17": the place in the split, counted from 0
  Json document;   // as it is used
  std::string where;
  std::vector<Question> questions;  // one; of multiple choice one a choice
  std::vector<std::string> choices;
  std::vector<int64_t> gold;
  std::vector<std::string> references;
};

struct ItemOptions {
  std::filesystem::path data_dir;  // where datasets lie: DIR/DATASET_PATH/DATASET_NAME/SPLIT.jsonl, ...
  int64_t limit = 0;               // the first so many documents; 0: all
  int64_t num_fewshot = -1;        // in place of the task's own; -1: that
};

// Throws Error(kInput): no dataset (saying where it was looked for), a record without a field that the task
// needs, a document without a right choice, each with its place.
std::vector<EvalItem> task_items(const Task& task, const ItemOptions& options);

// How an item came out: a value a metric, in their order, for each of the filters; "acc",
// "exact_match,strict".
struct ItemResult {
  std::vector<std::pair<std::string, MetricValue>> values;
};
// answers: of generation, one a repeat. log_likelihoods, greedy: of the questions, in their order. distance:
// of divergence.
ItemResult result_of(const Task& task, const EvalItem& item, const std::vector<std::string>& answers,
                     const std::vector<double>& log_likelihoods, const std::vector<bool>& greedy,
                     const Distance& distance = {});

}  // namespace sdft
