// A recipe: every setting of a run, with the names that users of HF Trainer, PEFT and LLaMA-Factory know. One
// table (settings.cpp) serves YAML recipes, key=value overrides, flags, the help texts, the ranges, what each
// stage's result depends on, and the resolved recipe that is kept.
#pragma once

#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "data/dataset.h"
#include "infer/generator.h"
#include "model/model.h"
#include "sdft/acceptance.h"
#include "sdft/replay.h"
#include "train/distillation.h"
#include "train/trainer.h"

namespace sdft {

struct Method;  // sdft/method.h

// Settings by name, each with its value as an override has it: "lora_rank" "64", "lora_target"
// "[\"q_proj\"]".
using Overrides = std::vector<std::pair<std::string, std::string>>;

// One training of a run: its folder's and its model's name, and what it learns.
struct Variant {
  std::string name;
  std::string method;   // a row of sdft/method.cpp
  std::string after;    // the variant whose model this one goes on from; "": the seed
  Overrides overrides;  // its own settings, in place of the recipe's
  // Of those that a sweep or a continual run made of another (variants.h): its name, and what was put in.
  std::string listed = {};
  Overrides swept = {};
};

// A task of a continual run: each variant learns one after the other.
struct ContinualTask {
  std::string name;
  Overrides overrides;  // its dataset, and what else is its own
};

// One row of the evaluation: prompts and how answers are judged.
struct TaskSettings {
  std::string name;
  std::string kind;              // a row of report::kKinds; "": as the task file says, of a dataset retained
  std::string task;              // a task file, or the name of one (task/task.h); in place of dataset, check
  std::string dataset;           // a file, or a name in dataset_dir/dataset_info.json
  std::string check = "answer";  // a check for tasks (check/check.h), with its argument
  std::string prompt_template;   // "": the recipe's `template`
  int64_t max_samples = 0;       // 0: the recipe's eval_max_samples
  int64_t max_new_tokens = 0;    // 0: the recipe's max_new_tokens; of a task file: its own
  int64_t num_fewshot = -1;      // of a task file: examples in front of each question; -1: its own
  int64_t num_samples = 0;  // of a task file that a check judges: answers to each question; 0: as it says
  double temperature = 0;   // of these
  bool truncate = false;    // of a task file: too long a text to score loses its beginning
  double chance = 0;        // that a guess is right, as 0.25 of four choices; 0: open answers
  Columns columns;
};

struct Recipe {
  std::string model_name_or_path, adapter_name_or_path, output_dir = "runs/sdft";
  std::string device = "auto", dtype = "auto", weights = "auto";
  int64_t threads = 0;
  std::string memory;  // that training may take, as 8G (training_plan.h); "": no limit
  uint64_t seed = 42;
  std::string dataset, dataset_dir;
  Columns columns;
  std::vector<double> dataset_weights;  // empty: all of each dataset
  int64_t max_samples = 0;
  std::string replay_dataset;
  double replay_fraction = 0.1;
  std::string replay_source = "dataset";
  int64_t dialogue_turns = 1;
  bool skip_bad = false;
  std::string prompt_template = "chat", distill_template = "chat_distill_using", prompt_layout = "chat";
  Json chat_template_kwargs =
      Json::object();  // what the chat template reads besides: {"enable_thinking": false}
  std::string reasoning = "drop";
  std::string date;  // what the chat template's clock shows, "2026-11-28"; "": the day the run began
  int64_t num_candidates = 1;
  std::string candidate_choice = "first";
  std::vector<double> candidate_temperatures;
  bool own_answer_first = false;
  std::string rewriter = "current";
  int64_t probe_samples = 64, gap_samples = 256;
  double distilled_fraction = 1.0;
  std::string fallback = "original";
  std::vector<std::string> acceptance = default_acceptance();
  std::string answer_check = "none";
  SamplingOptions sampling{0.95, 50, 0.7};
  int64_t max_new_tokens = kMaxNewTokens, generation_batch_size = 0;
  TrainOptions train;
  // of the method on_policy
  DistillationOptions distillation;
  std::string teacher_template = "chat_demonstration";
  SamplingOptions rollout;  // temperature 1, nothing left out
  int64_t num_generations = 1, num_iterations = 1, num_loss_tokens_to_skip = 0;
  bool generate_from_teacher = false;
  int64_t fisher_samples = 128;                  // of the objective ewc
  double change_scale = 0.5, prune_ratio = 0.5;  // of interpolation, of pruning
  // of the watch over a training (sdft/watch.h)
  int64_t watch_steps = 0, watch_samples = 16;
  double kl_budget = 0;
  bool collapse_guard = true;  // of on_policy
  bool train_on_prompt = false, train_from_scratch = false;
  std::string save_dtype = "f32";
  bool baseline = false;
  std::vector<Variant> variants;                                        // empty: the short form (variants.h)
  std::vector<std::pair<std::string, std::vector<std::string>>> sweep;  // a setting, and its values in turn
  std::vector<ContinualTask> continual;
  std::vector<TaskSettings> eval;
  int64_t eval_max_samples = 0;
  std::string include_path, data_dir = "data";  // of task files: where they and their datasets are
  std::string adapters;                         // models of elsewhere that are evaluated too
  std::string generation_endpoint, generation_endpoint_model;  // a server that runs the seed, for rewrites
  std::string endpoint, endpoint_model;  // a server's model, evaluated in place of a folder's
  int64_t endpoint_concurrency = 8;
  std::string embedding_model = "none";  // of the answers' similarity to the seed's
};

// Whose results a setting changes (a set of bits).
enum Stages : unsigned {
  kNoStage = 0,
  kDistill = 1,
  kTrain = 2,
  kEval = 4,
  kAllStages = 7,
  // Those that stages know by the content of their examples:
  kSelects = 8,   // which examples there are
  kMixes = 16,    // which of the rewrites are learned
  kReplays = 32,  // what is learned besides
  kChange = 64,   // what becomes of a trained model
};

// One setting: where it is kept, what it means, what it may be.
struct Setting {
  using Target = std::variant<std::string*, int64_t*, uint64_t*, double*, bool*, std::vector<std::string>*,
                              std::vector<double>*, LayerPatterns*>;
  const char* section;  // "model", "data", "method", "generation", "training", "evaluation"
  const char* name;
  Target target;
  const char* help;
  unsigned stages = kNoStage;
  double low = 0, high = std::numeric_limits<double>::max();  // of numbers
  bool above_low = false;                                     // `low` itself is too little
  std::vector<std::string> choices = {};                      // of texts; none: any text
  std::string (*fault)(const std::string&) = nullptr;         // what is wrong with a text, or ""
  bool path = false;                                          // a leading ~ is the home folder
  bool paths = false;     // the same of each name in a comma-separated list
  bool prompt = false;    // a prompt template: one of `choices` or a file, whose content counts
  bool reported = false;  // worth reading in a report
  bool optional = false;  // a list that may be empty
  bool (*used_by)(const Method&) =
      nullptr;  // only these methods; null: what trains or, of kDistill, rewrites

  Setting& changes(unsigned these) { return stages = these, *this; }
  Setting& between(double from, double to) { return low = from, high = to, *this; }
  Setting& above(double from, double to) { return above_low = true, between(from, to); }
  Setting& one_of(std::vector<std::string> texts) { return choices = std::move(texts), *this; }
  Setting& checked_by(std::string (*with)(const std::string&)) { return fault = with, *this; }
  Setting& is_path() { return path = true, *this; }
  Setting& is_paths() { return paths = true, *this; }
  Setting& is_prompt(std::vector<std::string> names) {
    return path = prompt = true, one_of(std::move(names));
  }
  Setting& in_report() { return reported = true, *this; }
  Setting& only_for(bool (*these)(const Method&)) { return used_by = these, *this; }
  Setting& or_none() { return optional = true, *this; }
  // Whether variants and sweeps may have values of their own.
  bool varies() const { return stages != kNoStage && !(stages & kEval); }
};
std::vector<Setting> settings(Recipe& recipe);
// Settings that are lists or maps.
struct StructuredSetting {
  const char *name, *help;
};
const std::vector<StructuredSetting>& structured_settings();
// As it stands in the resolved recipe: "0.0001", "true", "[q_proj, v_proj]".
std::string value_text(const Setting& setting);
// What a value may be: "lora, full", "0 or more", "true or false", "a path"; of lists, of each part.
std::string allowed_text(const Setting& setting);
// Rows of one evaluation task, without its columns.
std::vector<Setting> task_settings(TaskSettings& task);
// What holds for a task: its own setting, else the recipe's. A limit of 0: all examples.
const std::string& template_of(const Recipe& recipe, const TaskSettings& task);
size_t example_limit(const Recipe& recipe, const TaskSettings& task);
int64_t answer_limit(const Recipe& recipe, const TaskSettings& task);
// Names of columns, in recipes under `columns:`.
std::vector<std::pair<const char*, std::string*>> column_fields(Columns& columns);

// The file (may be empty: none), then overrides "key=value" in turn; the value of a text or path is taken as
// it is. Relative paths stay relative to where sdft is started. Throws Error(kUsage) listing all problems at
// once: unknown keys with a suggestion (other tools' with an answer: foreign_keys.h), values of a wrong type
// or out of range.
Recipe read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);
// The `date` of a kept recipe, or ""; what else stands there is not looked at.
std::string read_date(const std::filesystem::path& file);
// Whether a training of it is watched, of a method that learns from its own answers or not.
inline bool is_watched(const Recipe& recipe, bool on_policy) {
  return recipe.watch_steps > 0 || recipe.kl_budget > 0 || (on_policy && recipe.collapse_guard);
}
// Whether something is learned besides the task.
inline bool replays(const Recipe& recipe) {
  return !recipe.replay_dataset.empty() ||
         find_replay_source(recipe.replay_source) == ReplaySource::kSelfDialogue;
}
// The recipe as it holds for a variant, or for a task.
Recipe with_overrides(const Recipe& recipe, const Overrides& overrides);
// YAML with every setting, so that it alone says what was run.
std::string resolved_recipe(const Recipe& recipe);

}  // namespace sdft
