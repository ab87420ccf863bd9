// An evaluation task of a recipe, opened: a dataset with a check, or a task file (task/task.h).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/scorer.h"
#include "run/context.h"
#include "task/items.h"

namespace sdft {

struct EvalSet {
  Dataset dataset;              // of a task file its items: question, right answer and document as fields
  std::vector<Task> tasks;      // of `task`: one, or all of a group; empty: dataset and check
  std::vector<EvalItem> items;  // as dataset.examples
  std::vector<size_t> task_of;  // the place of each item's task

  bool from_file() const { return !tasks.empty(); }
  const Task& task(size_t item) const { return tasks[task_of[item]]; }
};

// What a recipe's `task` names, its documents read and made into prompts. Throws as find_tasks() and
// task_items() do; Error(kUsage) where tasks of a group differ in what they ask of the model.
EvalSet open_task_file(const Recipe& recipe, const TaskSettings& settings);
TaskPlaces task_places(const Recipe& recipe);
// The recipe with the kinds that its task files say, where it says none.
Recipe with_kinds(Recipe recipe);

// How a task's questions become prompts: the setting's template, else the file's own, else "": plain text.
const std::string& template_of(const TaskSettings& settings, const Task& task);

// The tokens to write on from.
std::vector<int32_t> question_ids(const ModelBundle& bundle, const Question& question,
                                  const std::string& prompt_template);
// What there is to score of a question, in the model's context; several windows of a rolling text. Empty
// where it does not fit; with `truncate` its beginning is left out instead, as the harness does.
std::vector<ScoreItem> likelihood_items(const ModelBundle& bundle, const Task& task, const Question& question,
                                        const std::string& prompt_template, bool truncate);

}  // namespace sdft
