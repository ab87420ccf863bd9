// Evaluation tasks as data: YAML files in the words of lm-evaluation-harness (0.4), whose own files work as
// they are. A task says where its documents are, what a model is asked about each, and how answers count.
//
// Keys of the harness: task, task_alias, tag, group, include, dataset_path, dataset_name, dataset_kwargs
// (data_files), training_split, validation_split, test_split, fewshot_split, fewshot_config (sampler default
// or first_n, split, samples, doc_to_text, doc_to_target, doc_to_choice, delimiters), output_type,
// doc_to_text, doc_to_target, doc_to_choice, description, gen_prefix, target_delimiter, fewshot_delimiter,
// num_fewshot, generation_kwargs, filter_list, metric_list, repeats, process_docs, process_results, metadata.
// Keys of our own: kind, check (how answers are judged: check/check.h, in place of metric_list),
// prompt_template (how a question becomes a prompt; without one it is read as plain text), chance, the
// output_type "divergence". A key,
// filter, metric, sampler or !function (functions.h) that is not known is refused by name.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "task/expression.h"
#include "task/filters.h"
#include "task/functions.h"
#include "task/metrics.h"

namespace sdft {

enum class OutputType {
  kGenerateUntil,         // an answer is written
  kMultipleChoice,        // the likeliest of several continuations
  kLogLikelihood,         // how likely one continuation is, and whether it is what greedy decoding writes
  kLogLikelihoodRolling,  // how likely a whole text is
  kDivergence,  // how far its distributions are from the seed's along the answer that the seed writes
};
const char* name_of(OutputType type);  // "generate_until", ...
inline bool is_written(OutputType type) {
  return type == OutputType::kGenerateUntil || type == OutputType::kDivergence;
}

// Where documents come from.
struct DataSource {
  std::string path, name;                    // dataset_path, dataset_name
  std::map<std::string, std::string> files;  // by split: dataset_kwargs.data_files
};

enum class FewshotSampler { kDefault, kFirstN };

struct FewshotConfig {
  FewshotSampler sampler = FewshotSampler::kDefault;
  std::string split;          // "": the training split, else the validation split
  std::vector<Json> samples;  // in place of a split
  // Whether the question itself is left out of them. As in the harness: where fewshot_split is test_split, or
  // neither is given.
  bool excludes_question = false;
  Expression text, target, choices;
  std::string delimiter = "\n\n", target_delimiter = " ";
};

struct Generation {
  std::vector<std::string> until;  // stop strings, which are not part of the answer
  int64_t max_new_tokens = 256;
  double temperature = 0, top_p = 1;
};

struct Task {
  std::string name, alias, kind = "retained";
  std::filesystem::path file;
  OutputType output = OutputType::kGenerateUntil;
  DataSource data;
  std::string split;                             // whose documents are asked about
  std::string training_split, validation_split;  // for examples (few-shot)
  Expression text, target, choices, description, gen_prefix;
  std::string target_delimiter = " ";
  int64_t num_fewshot = 0;
  FewshotConfig fewshot;
  Generation generation;
  int64_t repeats = 1;
  std::vector<FilterPipeline> filters;  // at least one
  std::vector<Metric> metrics;
  const DocumentFunction* process_docs = nullptr;
  const ResultFunction* process_results = nullptr;
  std::string check;            // "": the metrics judge
  std::string prompt_template;  // "": plain text
  double chance = 0;            // that a guess is right; 0: 1 / choices where there are choices
  Json version;                 // metadata.version
  std::string sha256;           // of all its keys, those of included files too
};

// What is wrong with a task's name, which is a folder's or a part of a file's, or "".
std::string fault_of_task_name(const std::string& name);

// Where tasks are looked for by name, in this order, as the folders were when they were first looked into; a
// name with a slash or ending in .yaml is a file.
struct TaskPlaces {
  std::vector<std::filesystem::path> folders;  // searched with all folders inside
};

// The task of that name; several where the name is a group's or a tag's. Throws Error(kInput) with file and
// key on what is wrong or not known, Error(kUsage) with the nearest names where there is none.
std::vector<Task> find_tasks(const std::string& name, const TaskPlaces& places);
// Names and files of all tasks, groups and tags of a folder.
struct TaskEntry {
  std::string name;
  std::filesystem::path file;
  bool group = false;
};
std::vector<TaskEntry> list_tasks(const TaskPlaces& places);

}  // namespace sdft
