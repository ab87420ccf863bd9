#include "run/validate.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/problems.h"
#include "data/answer.h"
#include "data/turn_end.h"
#include "eval/sandbox.h"
#include "eval/task.h"
#include "model/skeleton.h"
#include "sdft/acceptance.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
void check_chat_templates(const Session& session, unsigned stages) {
  const Recipe& recipe = session.recipe;
  std::vector<std::string> names;
  if (stages & (kTrain | kDistill)) names.push_back(recipe.prompt_template);
  if (stages & kDistill) names.push_back(recipe.distill_template);
  for (const TaskSettings& task : recipe.eval)
    if (stages & kEval)
      names.push_back(task.prompt_template.empty() ? recipe.prompt_template : task.prompt_template);
  const auto chat = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return name != kTemplateOfRecord && find_prompt_template(name).chat;
  });
  if (chat == names.end()) return;
  if (!session.chat_template.has())
    fail_input(
        recipe.model_name_or_path, "has no chat template, which the prompt template '" + *chat + "' needs",
        "use template: alpaca and distill_template: alpaca_distill_using, with prompt_layout: reference");
  warn_of_control_tokens(recipe.model_name_or_path, session.chat_template, session.tokenizer);
  if (const auto end = unnamed_end(session.formatter, session.config.eos_token_ids))
    spdlog::warn(
        "{}: the chat template ends turns with {}, which training teaches; neither config.json nor "
        "generation_config.json names it in eos_token_id, so other programs will not stop there",
        recipe.model_name_or_path, session.tokenizer.token_of(*end));
}

// A rewrite cannot keep what the original has not.
void check_originals(const Recipe& recipe, const Dataset& dataset) {
  const AnswerCheck check = parse_answer_check(recipe.answer_check);
  if (check != AnswerCheck::kNumber && check != AnswerCheck::kFunctionCall) return;
  size_t without = 0;
  for (const Example& example : dataset.examples)
    without += check == AnswerCheck::kNumber ? !last_number(example.response)
                                             : !function_call_matches(example.response, example.response);
  const std::string what = check == AnswerCheck::kNumber ? "whole number at the end" : "function call";
  if (without == dataset.examples.size())
    fail_input(dataset.path.string(), "no answer has a " + what + ", so that no rewrite can keep it",
               "choose another answer_check");
  if (without > 0)
    spdlog::warn("{}: {} of {} answers have no {}; their rewrites will be rejected (answer_check: {})",
                 dataset.path.string(), without, dataset.examples.size(), what, recipe.answer_check);
}

void open_training(const Session& session, unsigned stages, Dataset* dataset) {
  const Recipe& recipe = session.recipe;
  *dataset =
      open_dataset(recipe, recipe.dataset, recipe.columns, static_cast<size_t>(recipe.max_samples), true);
  if (stages & kDistill) check_originals(recipe, *dataset);
  std::vector<std::string> templates;
  if (stages & kTrain) templates.push_back(recipe.prompt_template);
  if (stages & kDistill) templates.push_back(recipe.distill_template);
  check_renderable(session.formatter, templates, dataset, recipe.skip_bad);
  tell_skipped(*dataset);
}

Dataset open_task(const Session& session, const TaskSettings& task) {
  const Recipe& recipe = session.recipe;
  const std::string name = task.prompt_template.empty() ? recipe.prompt_template : task.prompt_template;
  if (name == kTemplateOfRecord)
    fail_usage("eval task '" + task.name + "': template 'record' is for training",
               "give the task a template");
  const auto limit = static_cast<size_t>(task.max_samples > 0 ? task.max_samples : recipe.eval_max_samples);
  const Check check = parse_check(task.check);
  const bool needs_response = check != Check::kNone && check != Check::kRefusal;
  Dataset dataset = open_dataset(recipe, task.dataset, task.columns, limit, needs_response);
  try {
    require_judgeable(check, dataset.examples);
  } catch (const Error& e) {
    throw Error(e.code(), "eval task '" + task.name + "': " + dataset.path.string() + ": " + e.what());
  }
  check_renderable(session.formatter, {name}, &dataset, recipe.skip_bad);
  tell_skipped(dataset);
  return dataset;
}

// The least that the weights and, where they are trained, their gradients and moments take.
void check_memory(const Session& session, unsigned stages) {
  if (session.recipe.device == "cuda") return;
  const bool full = (stages & kTrain) && session.recipe.train.finetuning_type == "full";
  const double number = session.recipe.dtype == "bf16" ? 2 : 4;
  const double needed = static_cast<double>(session.config.parameters()) * (full ? 20 : number);  // the seed, weights, gradients, two moments
  const double there =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (needed > there)
    throw Error(
        ExitCode::kDevice,
        fmt::format("{}: {} needs {:.1f} GB at least, this machine has {:.1f} ({})",
                    session.recipe.model_name_or_path, full ? "full fine-tuning" : "the model", needed / 1e9,
                    there / 1e9, full ? "use finetuning_type: lora" : "use a smaller model, or dtype: bf16"));
}

void check_adapter(const Session& session) {
  const Recipe& recipe = session.recipe;
  if (!recipe.adapter_name_or_path.empty()) {
    Model model = skeleton(session.config);
    load_adapter(model, recipe.adapter_name_or_path);
  } else if (recipe.train.finetuning_type == "lora") {
    check_lora(session.config, recipe.train.lora);
  }
}

void check_output(const fs::path& dir) {
  std::error_code none;
  if (fs::exists(dir, none) && !fs::is_directory(dir, none))
    fail_input(dir.string(), "is a file, expected a folder", "choose another output_dir");
}
}  // namespace

Inputs validate(const Session& session, unsigned stages) {
  const Recipe& recipe = session.recipe;
  Inputs inputs;
  Problems problems;
  problems.gather([&] { check_output(recipe.output_dir); });
  problems.gather([&] { check_chat_templates(session, stages); });
  if (stages & (kDistill | kTrain)) problems.gather([&] { open_training(session, stages, &inputs.train); });
  if ((stages & kTrain) || !recipe.adapter_name_or_path.empty())
    problems.gather([&] { check_adapter(session); });
  problems.gather([&] { check_memory(session, stages); });
  bool programs = false;
  for (const TaskSettings& task : recipe.eval) {
    if (!(stages & kEval)) break;
    problems.gather([&] { inputs.eval.push_back(open_task(session, task)); });
    programs |= task.check == "program";
  }
  if (programs) problems.gather([&] { run_python({"pass"}); });
  problems.raise();
  return inputs;
}

}  // namespace sdft
