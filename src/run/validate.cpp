#include "run/validate.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/problems.h"
#include "check/check.h"
#include "data/turn_end.h"
#include "model/skeleton.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// The names of the prompt templates that are used, each a problem of its own where it cannot be.
std::vector<std::string> checked_prompts(const Recipe& recipe, unsigned stages, Problems& problems) {
  std::vector<std::string> names;
  auto add = [&](const std::string& name, TemplateUse use, const std::string& where) {
    if (name == kTemplateOfRecord) return;
    try {
      check_use(find_prompt_template(name), use);
      names.push_back(name);
    } catch (const Error& error) {
      problems.add(where + ": " + error.what(), error.code());
    }
  };
  if (stages & (kTrain | kDistill)) add(recipe.prompt_template, TemplateUse::kAnswering, "template");
  if (stages & kDistill) add(recipe.distill_template, TemplateUse::kRewriting, "distill_template");
  for (const TaskSettings& task : recipe.eval)
    if (stages & kEval)
      add(template_of(recipe, task), TemplateUse::kAnswering, "eval task '" + task.name + "': template");
  return names;
}

void check_chat_templates(const RunContext& run, const std::vector<std::string>& names) {
  const Recipe& recipe = run.recipe;
  const auto chat = std::find_if(names.begin(), names.end(),
                                 [](const std::string& name) { return find_prompt_template(name).chat; });
  if (chat == names.end()) return;
  require_chat_template(
      run.bundle, *chat,
      "use template: alpaca and distill_template: alpaca_distill_using, with prompt_layout: reference");
  if (const auto end = unnamed_end(run.bundle.formatter, run.bundle.config.eos_token_ids))
    spdlog::warn(
        "{}: the chat template ends turns with {}, which training teaches; neither config.json nor "
        "generation_config.json names it in eos_token_id, so other programs will not stop there",
        recipe.model_name_or_path, run.bundle.tokenizer.token_of(*end));
}

// A rewrite cannot keep what the original has not.
void check_originals(const Recipe& recipe, const Dataset& dataset) {
  const Check& check = find_check(recipe.answer_check, kAnswerCheck);
  size_t without = 0;
  std::string what;  // is missing, in the first
  for (const Example& example : dataset.examples) {
    const std::string missing = check.missing(check_item(example));
    without += !missing.empty();
    if (what.empty()) what = missing;
  }
  if (without == 0) return;
  if (without == dataset.examples.size())
    fail_input(dataset.path.string(), "no rewrite can keep its original's answer, in no example: " + what,
               "choose another answer_check than " + recipe.answer_check);
  spdlog::warn(
      "{}: of {} of {} examples no rewrite can keep the answer, and all will be rejected: {} "
      "(answer_check: {})",
      dataset.path.string(), without, dataset.examples.size(), what, recipe.answer_check);
}

// Those of the names that can be used; the others are problems already.
std::vector<std::string> usable(const std::vector<std::string>& names,
                                const std::vector<std::string>& checked) {
  std::vector<std::string> good;
  for (const std::string& name : names)
    if (name == kTemplateOfRecord || std::find(checked.begin(), checked.end(), name) != checked.end())
      good.push_back(name);
  return good;
}

void open_training(const RunContext& run, unsigned stages, const std::vector<std::string>& prompts,
                   Dataset* dataset) {
  const Recipe& recipe = run.recipe;
  *dataset = select(open_datasets(recipe, recipe.dataset), selection_of(recipe));
  if (stages & kDistill) check_originals(recipe, *dataset);
  std::vector<std::string> templates;
  if (stages & kTrain) templates.push_back(recipe.prompt_template);
  if (stages & kDistill) templates.push_back(recipe.distill_template);
  check_renderable(run.bundle.formatter, usable(templates, prompts), dataset, recipe.skip_bad,
                   find_reasoning(recipe.reasoning));
  tell_skipped(*dataset);
}

void open_replay(const RunContext& run, const std::vector<std::string>& prompts, const Dataset& train,
                 Dataset* replay) {
  const Recipe& recipe = run.recipe;
  *replay = open_datasets(recipe, recipe.replay_dataset);
  check_renderable(run.bundle.formatter, usable({recipe.prompt_template}, prompts), replay, recipe.skip_bad,
                   find_reasoning(recipe.reasoning));
  tell_skipped(*replay);
  with_replay(train.examples, *replay, recipe.replay_fraction, recipe.seed);  // whether there are enough
}

Dataset open_task(const RunContext& run, const TaskSettings& task, const std::vector<std::string>& prompts) {
  const Recipe& recipe = run.recipe;
  const std::string& name = template_of(recipe, task);
  if (name == kTemplateOfRecord)
    fail_usage("eval task '" + task.name + "': template 'record' is for training",
               "give the task a template");
  const Check& check = find_check(task.check, kTaskCheck);
  Dataset dataset = open_dataset(recipe, task.dataset, task.columns, example_limit(recipe, task),
                                 (check.needs & kNeedsReference) != 0);
  try {
    require_judgeable(check, dataset.examples);
  } catch (const Error& e) {
    throw Error(e.code(), "eval task '" + task.name + "': " + dataset.path.string() + ": " + e.what());
  }
  check_renderable(run.bundle.formatter, usable({name}, prompts), &dataset, recipe.skip_bad,
                   Reasoning::kDrop);
  tell_skipped(dataset);
  return dataset;
}

// The least that the weights take; where they are trained, the seed, their gradients and two moments too.
void check_memory(const RunContext& run, unsigned stages) {
  if (run.recipe.device == "cuda") return;
  const bool full = (stages & kTrain) && run.recipe.train.finetuning_type == "full";
  const double number = run.recipe.dtype == "bf16" ? 2 : 4;
  const double needed = static_cast<double>(run.bundle.config.parameters()) * (full ? 20 : number);
  const double there =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (needed > there)
    throw Error(
        ExitCode::kDevice,
        fmt::format("{}: {} needs {:.1f} GB at least, this machine has {:.1f} ({})",
                    run.recipe.model_name_or_path, full ? "full fine-tuning" : "the model", needed / 1e9,
                    there / 1e9, full ? "use finetuning_type: lora" : "use a smaller model, or dtype: bf16"));
}

void check_adapter(const RunContext& run) {
  const Recipe& recipe = run.recipe;
  if (!recipe.adapter_name_or_path.empty()) {
    Model model = skeleton(run.bundle.config);
    load_adapter(model, recipe.adapter_name_or_path);
  } else if (recipe.train.finetuning_type == "lora") {
    check_lora(run.bundle.config, recipe.train.lora);
  }
}

void check_output(const fs::path& dir) {
  std::error_code none;
  if (fs::exists(dir, none) && !fs::is_directory(dir, none))
    fail_input(dir.string(), "is a file, expected a folder", "choose another output_dir");
}
}  // namespace

Inputs validate(const RunContext& run, unsigned stages) {
  const Recipe& recipe = run.recipe;
  Inputs inputs;
  Problems problems;
  problems.gather([&] { check_output(recipe.output_dir); });
  const std::vector<std::string> prompts = checked_prompts(recipe, stages, problems);
  problems.gather([&] { check_chat_templates(run, prompts); });
  if (stages & (kDistill | kTrain))
    problems.gather([&] { open_training(run, stages, prompts, &inputs.train); });
  if ((stages & kTrain) && !recipe.replay_dataset.empty())
    problems.gather([&] { open_replay(run, prompts, inputs.train, &inputs.replay); });
  if ((stages & kTrain) || !recipe.adapter_name_or_path.empty()) problems.gather([&] { check_adapter(run); });
  problems.gather([&] { check_memory(run, stages); });
  bool sandbox = false;
  for (const TaskSettings& task : recipe.eval) {
    if (!(stages & kEval)) break;
    problems.gather([&] { inputs.eval.push_back(open_task(run, task, prompts)); });
    sandbox |= (find_check(task.check, kTaskCheck).needs & kNeedsSandbox) != 0;
  }
  if (sandbox) problems.gather(require_sandbox);
  problems.raise();
  return inputs;
}

}  // namespace sdft
