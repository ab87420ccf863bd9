// A recipe: every setting of a run, with the names that users of HF Trainer, PEFT and LLaMA-Factory know. One
// table (recipe.cpp) serves YAML recipes, key=value overrides, flags, the help texts and the resolved recipe
// that is kept.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "data/dataset.h"
#include "infer/generator.h"
#include "model/model.h"
#include "train/trainer.h"

namespace sdft {

// One row of the evaluation: prompts and how answers are judged.
struct TaskSettings {
  std::string name;
  std::string kind = "retained";  // target | retained | safety | similarity
  std::string dataset;            // a file, or a name in dataset_dir/dataset_info.json
  std::string check = "answer";   // number | function_call | answer | program | refusal | none
  std::string prompt_template;    // "": the recipe's `template`
  int64_t max_samples = 0;        // 0: the recipe's eval_max_samples
  int64_t max_new_tokens = 0;     // 0: the recipe's max_new_tokens
  Columns columns;
};

struct Recipe {
  std::string model_name_or_path, adapter_name_or_path, output_dir = "runs/sdft";
  std::string device = "auto", dtype = "auto";
  int64_t threads = 0;
  uint64_t seed = 42;
  std::string dataset, dataset_dir;
  Columns columns;
  int64_t max_samples = 0;
  bool skip_bad = false;
  std::string prompt_template = "chat", distill_template = "chat_distill_using", prompt_layout = "chat";
  int64_t rewrite_attempts = 1;
  double distilled_fraction = 1.0;
  std::string answer_check = "none";
  SamplingOptions sampling{0.95, 50, 0.7};
  int64_t max_new_tokens = kMaxNewTokens, generation_batch_size = 0;
  TrainOptions train;
  bool train_on_prompt = false, train_from_scratch = false;
  std::string save_dtype = "f32";
  bool baseline = false;
  std::vector<TaskSettings> eval;
  int64_t eval_max_samples = 0;
};

// One setting: where it is kept and what it means.
struct Setting {
  using Target = std::variant<std::string*, int64_t*, uint64_t*, double*, bool*, std::vector<std::string>*>;
  const char* section;  // "model", "data", "method", "generation", "training", "evaluation"
  const char* name;
  Target target;
  const char* help;
};
std::vector<Setting> settings(Recipe& recipe);

// The file (may be empty: none), then overrides "key=value" in turn. Relative paths stay relative to where
// sdft is started. Throws Error(kUsage) listing all problems at once: unknown keys with a suggestion, values
// of a wrong type.
Recipe read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);
// YAML with every setting, so that it alone says what was run.
std::string resolved_recipe(const Recipe& recipe);

}  // namespace sdft
