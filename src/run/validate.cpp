#include "run/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/problems.h"
#include "check/check.h"
#include "data/turn_end.h"
#include "model/skeleton.h"
#include "run/fingerprint.h"
#include "sdft/acceptance.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// The names of the prompt templates that are used, each a problem of its own where it cannot be.
std::vector<std::string> checked_prompts(const Recipe& recipe, const std::vector<Recipe>& recipes,
                                         unsigned stages, Problems& problems) {
  std::vector<std::string> names;
  std::set<std::string> seen;  // variants have most in common
  auto add = [&](const std::string& name, TemplateUse use, const std::string& where) {
    if (name == kTemplateOfRecord || !seen.insert(where + ": " + name).second) return;
    try {
      check_use(find_prompt_template(name), use);
      names.push_back(name);
    } catch (const Error& error) {
      problems.add(where + ": " + error.what(), error.code());
    }
  };
  for (const Recipe& own : recipes) {
    if (stages & (kTrain | kDistill)) add(own.prompt_template, TemplateUse::kAnswering, "template");
    if (stages & kDistill) add(own.distill_template, TemplateUse::kRewriting, "distill_template");
  }
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

std::string some_of(const std::vector<std::string>& ids) {
  constexpr size_t kShown = 20;
  const auto end = ids.begin() + static_cast<ptrdiff_t>(std::min(kShown, ids.size()));
  return fmt::format("{}", fmt::join(ids.begin(), end, ", ")) +
         (ids.size() > kShown ? fmt::format(" and {} more", ids.size() - kShown) : "");
}

// A rewrite cannot keep what the original has not.
void check_originals(const Recipe& recipe, const Dataset& dataset) {
  Problems problems;
  for (const ChosenCheck& check : acceptance_checks(recipe.acceptance, recipe.answer_check)) {
    const auto [ids, what] = unjudgeable(check, dataset.examples);
    const std::string name = check.check->name;
    if (ids.empty()) continue;
    if (ids.size() == dataset.examples.size()) {
      problems.add(dataset.path.string() + ": no rewrite can keep its original's answer, in no example: " +
                       what + " (choose another answer_check or acceptance than " + name + ")",
                   ExitCode::kInput);
      continue;
    }
    spdlog::warn(
        "{}: of {} of {} examples no rewrite can keep the answer, and all will be rejected: {} ({}): {}",
        dataset.path.string(), ids.size(), dataset.examples.size(), what, name, some_of(ids));
  }
  problems.raise();
}

bool runs_programs(const std::vector<ChosenCheck>& checks) {
  return std::any_of(checks.begin(), checks.end(),
                     [](const ChosenCheck& check) { return (check.check->needs & kNeedsSandbox) != 0; });
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

// What tells the datasets of two recipes apart, with what is checked of them.
std::string key_of(const Recipe& recipe) {
  Recipe copy = recipe;
  std::string key;
  for (const auto& [name, column] : column_fields(copy.columns)) key += *column + "\n";
  for (const std::string& part : {recipe.dataset, recipe.prompt_template, recipe.distill_template,
                                  recipe.answer_check, recipe.reasoning})
    key += part + "\n";
  for (const std::string& check : recipe.acceptance) key += check + "\n";
  return key;
}

// Prompts are never cut: an example whose rewriting prompt does not fit keeps its original.
void check_prompt_lengths(const RunContext& run, const Recipe& recipe, const Dataset& dataset) {
  const PromptTemplate& prompt = find_prompt_template(recipe.distill_template);
  const int64_t context = run.bundle.config.max_position_embeddings;
  std::vector<std::string> too_long;
  for (const Example& example : dataset.examples)
    if (static_cast<int64_t>(prompt_ids(run.bundle.formatter, prompt, example, example.response).size()) >=
        context)
      too_long.push_back(example.id);
  if (too_long.empty()) return;
  if (too_long.size() == dataset.examples.size())
    fail_input(dataset.path.string(),
               fmt::format("every rewriting prompt is longer than the model's context of {} tokens", context),
               "use shorter examples, or a model with a longer context");
  spdlog::warn(
      "{}: {} of {} rewriting prompts are longer than the model's context of {} tokens; these examples keep "
      "their originals: {}",
      dataset.path.string(), too_long.size(), dataset.examples.size(), context, some_of(too_long));
}

Dataset open_training(const RunContext& run, unsigned stages, const Recipe& recipe,
                      const std::vector<std::string>& prompts) {
  Dataset dataset = open_datasets(recipe, recipe.dataset);
  if (stages & kDistill) check_originals(recipe, dataset);
  std::vector<std::string> templates;
  if (stages & kTrain) templates.push_back(recipe.prompt_template);
  if (stages & kDistill) templates.push_back(recipe.distill_template);
  check_renderable(run.bundle.formatter, usable(templates, prompts), &dataset, recipe.skip_bad,
                   find_reasoning(recipe.reasoning));
  tell_skipped(dataset);
  if ((stages & kDistill) && usable({recipe.distill_template}, prompts).size() == 1)
    check_prompt_lengths(run, recipe, dataset);
  return dataset;
}

// What tells the selections of two recipes apart. Where all are used the seed draws nothing.
std::string selection_key(const Recipe& recipe) {
  std::string key = key_of(recipe);
  if (recipe.max_samples > 0 || !recipe.dataset_weights.empty())
    key += fmt::format("{} {} {}", recipe.max_samples, fmt::join(recipe.dataset_weights, ","), recipe.seed);
  return key;
}

TaskData summed(Dataset dataset) {
  const std::string sum = examples_sha256(dataset.examples);
  return {std::move(dataset), sum};
}

std::string replay_key(const Recipe& recipe) { return recipe.replay_dataset + "\n" + key_of(recipe); }

// What of a dataset a recipe uses, and what it replays.
void check_selection(const RunContext& run, unsigned stages, const Recipe& recipe,
                     const std::vector<std::string>& prompts, Inputs* inputs) {
  const Dataset& all = inputs->all(recipe).dataset;
  const auto [place, is_new] = inputs->selections.try_emplace(selection_key(recipe));
  const Dataset& part = place->second.dataset;
  if (is_new) {
    place->second = summed(select(all, selection_of(recipe)));
    for (size_t i = all.notes.size(); i < part.notes.size(); ++i) spdlog::warn("{}", part.notes[i]);
  }
  if (!(stages & kTrain)) return;
  split_validation(part.examples, recipe.train.val_size, recipe.seed);
  if (recipe.replay_dataset.empty()) return;
  Dataset& replay = inputs->replays[replay_key(recipe)];
  if (replay.examples.empty()) {
    replay = open_datasets(recipe, recipe.replay_dataset);
    check_renderable(run.bundle.formatter, usable({recipe.prompt_template}, prompts), &replay,
                     recipe.skip_bad, find_reasoning(recipe.reasoning));
    tell_skipped(replay);
  }
  with_replay(part.examples, replay, recipe.replay_fraction, recipe.seed);  // whether there are enough
}

Dataset open_task(const RunContext& run, const TaskSettings& task, const std::vector<std::string>& prompts) {
  const Recipe& recipe = run.recipe;
  const std::string& name = template_of(recipe, task);
  if (name == kTemplateOfRecord)
    fail_usage("eval task '" + task.name + "': template 'record' is for training",
               "give the task a template");
  const ChosenCheck check = parse_check(task.check, kTaskCheck);
  Dataset dataset = open_dataset(recipe, task.dataset, task.columns, example_limit(recipe, task),
                                 (check.check->needs & kNeedsReference) != 0);
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
void check_memory(const RunContext& run, unsigned stages, const std::vector<Recipe>& recipes) {
  if (run.recipe.device == "cuda") return;
  const bool full = (stages & kTrain) && std::any_of(recipes.begin(), recipes.end(), [](const Recipe& own) {
                      return own.train.finetuning_type == "full";
                    });
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

void check_adapter(const RunContext& run, const Recipe& recipe) {
  if (!recipe.adapter_name_or_path.empty()) {
    Model model = skeleton(run.bundle.config);
    load_adapter(model, recipe.adapter_name_or_path);
  } else if (recipe.train.finetuning_type == "lora") {
    check_lora(run.bundle.config, recipe.train.lora);
  }
}

// The settings of a recipe that check_selection() looks at.
std::string selection_text(const Recipe& recipe) {
  return fmt::format("{}{} {} {} {} {}", replay_key(recipe), recipe.max_samples, recipe.seed,
                     fmt::join(recipe.dataset_weights, ","), recipe.replay_fraction, recipe.train.val_size);
}

// The settings of a recipe that check_adapter() looks at.
std::string lora_text(const Recipe& recipe) {
  const LoraConfig& lora = recipe.train.lora;
  return fmt::format("{} {} {} {} {}", recipe.train.finetuning_type, lora.rank, lora.alpha, lora.dropout,
                     fmt::join(lora.target_modules, ","));
}

void check_output(const fs::path& dir) {
  std::error_code none;
  if (fs::exists(dir, none) && !fs::is_directory(dir, none))
    fail_input(dir.string(), "is a file, expected a folder", "choose another output_dir");
}
}  // namespace

const TaskData& Inputs::all(const Recipe& own) const { return datasets.at(key_of(own)); }

const Dataset* Inputs::replay(const Recipe& own) const {
  return own.replay_dataset.empty() ? nullptr : &replays.at(replay_key(own));
}

const TaskData& Inputs::used(const Recipe& own) const { return selections.at(selection_key(own)); }

Inputs validate(const RunContext& run, unsigned stages, const std::vector<Recipe>& recipes) {
  const Recipe& recipe = run.recipe;
  Inputs inputs;
  Problems problems;
  problems.gather([&] { check_output(recipe.output_dir); });
  const std::vector<std::string> prompts = checked_prompts(recipe, recipes, stages, problems);
  problems.gather([&] { check_chat_templates(run, prompts); });
  std::set<std::string> seen;
  auto once = [&](const std::string& what, auto check) {
    if (seen.insert(what).second) problems.gather(check);
  };
  for (const Recipe& own : recipes) {
    if (stages & (kDistill | kTrain))
      once(key_of(own),
           [&] { inputs.datasets[key_of(own)] = summed(open_training(run, stages, own, prompts)); });
    if (inputs.datasets.count(key_of(own)))
      once(selection_text(own), [&] { check_selection(run, stages, own, prompts, &inputs); });
    if ((stages & kTrain) || !own.adapter_name_or_path.empty())
      once(lora_text(own), [&] { check_adapter(run, own); });
  }
  problems.gather([&] { check_memory(run, stages, recipes); });
  bool sandbox = false;
  for (const Recipe& own : recipes)
    sandbox |= (stages & kDistill) && runs_programs(acceptance_checks(own.acceptance, own.answer_check));
  for (const TaskSettings& task : recipe.eval) {
    if (!(stages & kEval)) break;
    problems.gather([&] { inputs.eval.push_back(open_task(run, task, prompts)); });
    sandbox |= runs_programs({parse_check(task.check, kTaskCheck)});
  }
  if (sandbox) problems.gather(require_sandbox);
  problems.raise();
  return inputs;
}

}  // namespace sdft
