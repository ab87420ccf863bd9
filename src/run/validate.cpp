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
#include "run/variants.h"
#include "sdft/acceptance.h"

namespace sdft {
namespace fs = std::filesystem;

// Evaluation reads the tasks, and a watch over a training does.
bool opens_tasks(unsigned stages, const std::vector<WantedRecipe>& wanted) {
  const bool watched = std::any_of(wanted.begin(), wanted.end(), [](const WantedRecipe& one) {
    return is_watched(one.recipe, one.taught);
  });
  return (stages & kEval) || ((stages & kTrain) && watched);
}

namespace {
// The names of the prompt templates that are used, each a problem of its own where it cannot be.
std::vector<std::string> checked_prompts(const Recipe& recipe, const std::vector<WantedRecipe>& wanted,
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
  for (const auto& [own, rewrites, taught] : wanted) {
    if (stages & (kTrain | kDistill)) add(own.prompt_template, TemplateUse::kAnswering, "template");
    if (rewrites) add(own.distill_template, TemplateUse::kRewriting, "distill_template");
    if (taught) add(own.teacher_template, TemplateUse::kRewriting, "teacher_template");
  }
  for (const TaskSettings& task : recipe.eval)
    if (opens_tasks(stages, wanted) && task.task.empty())
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
  constexpr size_t kMost = 20;
  const auto end = ids.begin() + static_cast<ptrdiff_t>(std::min(kMost, ids.size()));
  return fmt::format("{}", fmt::join(ids.begin(), end, ", ")) +
         (ids.size() > kMost ? fmt::format(" and {} more", ids.size() - kMost) : "");
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

// What tells two recipes apart in these settings. Variants have most in common, and need it once.
std::string values_of(const Recipe& recipe, const std::set<std::string>& names) {
  Recipe copy = recipe;
  std::string values;
  for (const Setting& setting : settings(copy))
    if (names.count(setting.name)) values += value_text(setting) + "\n";
  return values;
}

// A dataset as it is read and rendered.
std::string key_of(const Recipe& recipe) {
  Recipe copy = recipe;
  std::string key =
      values_of(recipe, {"dataset", "template", "distill_template", "teacher_template", "reasoning"});
  for (const auto& [name, column] : column_fields(copy.columns)) key += *column + "\n";
  return key;
}

// The part of it that is used; where that is all, the seed draws nothing.
std::string selection_key(const Recipe& recipe) {
  const bool draws = recipe.max_samples > 0 || !recipe.dataset_weights.empty();
  return key_of(recipe) + (draws ? values_of(recipe, {"max_samples", "dataset_weights", "seed"}) : "");
}

std::string replay_key(const Recipe& recipe) {
  return values_of(recipe, {"replay_dataset"}) + key_of(recipe);
}

// Examples whose prompt, which shows their answer, leaves no room for another one.
std::vector<std::string> too_long_for(const RunContext& run, const std::string& prompt_template,
                                      const Dataset& dataset) {
  const PromptTemplate& prompt = find_prompt_template(prompt_template);
  const int64_t context = run.bundle.config.max_position_embeddings;
  std::vector<std::string> too_long;
  for (const Example& example : dataset.examples)
    if (static_cast<int64_t>(prompt_ids(run.bundle.formatter, prompt, example, example.response).size()) >=
        context)
      too_long.push_back(example.id);
  return too_long;
}

// Prompts are never cut: an example whose rewriting prompt does not fit keeps its original.
void check_prompt_lengths(const RunContext& run, const Recipe& recipe, const Dataset& dataset) {
  const std::vector<std::string> too_long = too_long_for(run, recipe.distill_template, dataset);
  if (too_long.empty()) return;
  const int64_t context = run.bundle.config.max_position_embeddings;
  if (too_long.size() == dataset.examples.size())
    fail_input(dataset.path.string(),
               fmt::format("every rewriting prompt is longer than the model's context of {} tokens", context),
               "use shorter examples, or a model with a longer context");
  spdlog::warn(
      "{}: {} of {} rewriting prompts are longer than the model's context of {} tokens; these examples keep "
      "their originals: {}",
      dataset.path.string(), too_long.size(), dataset.examples.size(), context, some_of(too_long));
}

// A prompt that does not fit would leave an example out of training.
void check_on_policy(const RunContext& run, const Recipe& recipe, const Dataset& dataset,
                     const std::vector<std::string>& prompts) {
  if (recipe.prompt_template == kTemplateOfRecord)
    fail_usage("template: record is for training on given answers; on_policy needs one template",
               "give a template, as chat");
  for (const std::string& prompt : usable({recipe.prompt_template, recipe.teacher_template}, prompts)) {
    const std::vector<std::string> too_long = too_long_for(run, prompt, dataset);
    if (!too_long.empty())
      fail_input(
          dataset.path.string(),
          fmt::format("{} of {} prompts of {} leave no room for an answer in the model's context of {} "
                      "tokens: {}",
                      too_long.size(), dataset.examples.size(), prompt,
                      run.bundle.config.max_position_embeddings, some_of(too_long)),
          "leave these examples out, or shorten them");
  }
}

// How many of the likeliest tokens a loss asks for.
void check_topk(const RunContext& run, const Recipe& recipe, bool taught) {
  auto check = [&](const char* name, int64_t k) {
    if (k > run.bundle.config.vocab_size)
      fail_usage(
          fmt::format("{}: {}, but the vocabulary has {} tokens", name, k, run.bundle.config.vocab_size));
  };
  if (taught && recipe.distillation.mode == "topk_logits")
    check("distillation_topk", recipe.distillation.topk);
  if (recipe.train.objective == "eaft") check("entropy_topk", recipe.train.objective_options.entropy_topk);
}

// templates: those that show an answer, of this recipe or another that has the same key.
Dataset open_training(const RunContext& run, unsigned stages, const Recipe& recipe,
                      std::vector<std::string> templates, const std::vector<std::string>& prompts) {
  Dataset dataset = open_datasets(recipe, recipe.dataset);
  if (stages & kTrain) templates.push_back(recipe.prompt_template);
  check_renderable(run.bundle.formatter, usable(templates, prompts), &dataset, recipe.skip_bad,
                   find_reasoning(recipe.reasoning));
  tell_skipped(dataset);
  return dataset;
}

void check_rewriting(const RunContext& run, const Recipe& recipe, const Dataset& dataset,
                     const std::vector<std::string>& prompts) {
  if (recipe.prompt_template == kTemplateOfRecord)
    fail_usage(
        "template: record is for training on prompts that the records name; rewrites need one template",
        "give a template, as chat");
  check_originals(recipe, dataset);
  if (usable({recipe.distill_template}, prompts).size() == 1) check_prompt_lengths(run, recipe, dataset);
}

Inputs::Shared summed(Dataset dataset) {
  std::string sum = examples_sha256(dataset.examples);
  return std::make_shared<const TaskData>(TaskData{std::move(dataset), std::move(sum)});
}

// The examples that a recipe uses; the very dataset where it uses all.
Inputs::Shared selection(const Inputs::Shared& all, const Recipe& recipe) {
  const auto& examples = all->dataset.examples;
  const bool whole =
      recipe.max_samples == 0 && recipe.dataset_weights.empty() &&
      std::all_of(examples.begin(), examples.end(), [](const Example& e) { return e.weight > 0; });
  return whole ? all : summed(select(all->dataset, selection_of(recipe)));
}

// What of a dataset a recipe uses, and what it replays.
void check_selection(const RunContext& run, unsigned stages, const Recipe& recipe,
                     const std::vector<std::string>& prompts, Inputs* inputs) {
  Inputs::Shared& place = inputs->selections[selection_key(recipe)];
  if (!place) {
    const Inputs::Shared all = inputs->datasets.at(key_of(recipe));
    place = selection(all, recipe);
    for (size_t i = all->dataset.notes.size(); i < place->dataset.notes.size(); ++i)
      spdlog::warn("{}", place->dataset.notes[i]);
  }
  const Dataset& part = place->dataset;
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
  drawn_replay(replay, replay_count(part.examples.size(), recipe.replay_fraction), recipe.seed);  // enough?
}

// A task file; its prompts are made once here, so that what cannot be said is said now.
EvalSet open_file(const RunContext& run, const TaskSettings& settings) {
  EvalSet set = open_task_file(run.recipe, settings);
  for (const Task& task : set.tasks)
    if (const std::string& name = template_of(settings, task); !name.empty()) {
      check_use(find_prompt_template(name), TemplateUse::kAnswering);
      if (find_prompt_template(name).chat) check_chat_templates(run, {name});
    }
  if (const std::string& check = set.tasks.front().check; !check.empty())
    require_judgeable(parse_check(check, kTaskCheck), set.dataset.examples);
  size_t too_long = 0;
  for (size_t i = 0; i < set.items.size(); ++i) {
    const std::string& name = template_of(settings, set.task(i));
    for (const Question& question : set.items[i].questions) {
      if (is_written(set.task(i).output))
        question_ids(run.bundle, question, name);
      else if (set.task(i).output != OutputType::kLogLikelihoodRolling &&
               likelihood_items(run.bundle, set.task(i), question, name, settings.truncate).empty() &&
               ++too_long)
        break;
    }
  }
  if (too_long > 0)
    spdlog::warn(
        "{}: {} of {} items are longer than the model's context of {} tokens and stay unanswered "
        "(truncate: true leaves out their beginning)",
        settings.name, too_long, set.items.size(), run.bundle.config.max_position_embeddings);
  return set;
}

EvalSet open_task(const RunContext& run, const TaskSettings& task, const std::vector<std::string>& prompts) {
  if (!task.task.empty()) return open_file(run, task);
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
  return {std::move(dataset), {}, {}, {}};
}

// Matrices of 16 bits stay as they are.
double stored_bytes(const RunContext& run) {
  const double all = static_cast<double>(run.bundle.config.parameters()) * 4;
  if (run.recipe.dtype == "bf16" || run.recipe.weights == "bf16") return all / 2;
  if (run.recipe.weights == "int8") return all / 4;
  if (run.recipe.weights == "q4") return all / 8;
  double files = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run.bundle.dir, none))
    if (entry.path().extension() == ".safetensors" || entry.path().extension() == ".gguf")
      files += static_cast<double>(entry.file_size(none));
  return files > 0 && !run.recipe.train_from_scratch ? std::min(files, all) : all;
}

// The least that the weights take; where they are trained, the seed, their gradients and two moments too.
void check_memory(const RunContext& run, unsigned stages, const std::vector<WantedRecipe>& wanted) {
  if (run.recipe.device == "cuda") return;
  const bool full =
      (stages & kTrain) && std::any_of(wanted.begin(), wanted.end(), [](const WantedRecipe& own) {
        return own.recipe.train.finetuning_type == "full";
      });
  auto copied = [](const WantedRecipe& own) {  // by an averaged teacher, or to weigh each weight
    const Recipe& r = own.recipe;
    return r.train.objective == "ewc" || r.train.objective == "psft" ||
           (own.taught && r.distillation.teacher.kind == "ema");
  };
  const double each = std::any_of(wanted.begin(), wanted.end(), copied) ? 20 : 16;
  const double parameters = static_cast<double>(run.bundle.config.parameters());
  const double needed = (full ? each * parameters : 0) + stored_bytes(run);
  const double there =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (needed > there)
    throw Error(ExitCode::kDevice,
                fmt::format("{}: {} needs {:.1f} GB at least, this machine has {:.1f} ({})",
                            run.recipe.model_name_or_path, full ? "full fine-tuning" : "the model",
                            needed / 1e9, there / 1e9,
                            full ? "use finetuning_type: lora" : "use a smaller model, or weights: bf16"));
}

void check_adapter(const RunContext& run, const Recipe& recipe) {
  if (!recipe.adapter_name_or_path.empty()) {
    Model model = skeleton(run.bundle.config);
    load_adapter(model, recipe.adapter_name_or_path);
  } else if (recipe.train.finetuning_type == "lora") {
    check_lora(run.bundle.config, recipe.train.lora);
  }
}

// A model of the recipe's `adapters`.
void check_tuned(const RunContext& run, const fs::path& dir) {
  std::error_code none;
  if (is_adapter(dir)) {
    Model model = skeleton(run.bundle.config);
    load_adapter(model, dir);
  } else if (!fs::exists(dir / "config.json", none) && !fs::exists(dir / "model" / "config.json", none)) {
    fail_input(dir.string(), "is neither an adapter (adapter_config.json) nor a model (config.json)",
               "see the setting adapters");
  }
}

void check_output(const fs::path& dir) {
  std::error_code none;
  if (fs::exists(dir, none) && !fs::is_directory(dir, none))
    fail_input(dir.string(), "is a file, expected a folder", "choose another output_dir");
}
}  // namespace

const TaskData& Inputs::all(const Recipe& own) const { return *datasets.at(key_of(own)); }

const Dataset* Inputs::replay(const Recipe& own) const {
  return own.replay_dataset.empty() ? nullptr : &replays.at(replay_key(own));
}

const TaskData& Inputs::used(const Recipe& own) const { return *selections.at(selection_key(own)); }

Inputs validate(const RunContext& run, unsigned stages, const std::vector<WantedRecipe>& wanted) {
  const Recipe& recipe = run.recipe;
  Inputs inputs;
  Problems problems;
  problems.gather([&] { check_output(recipe.output_dir); });
  const std::vector<std::string> prompts = checked_prompts(recipe, wanted, stages, problems);
  problems.gather([&] { check_chat_templates(run, prompts); });
  std::map<std::string, std::vector<std::string>> showing;  // templates, by key_of()
  for (const auto& [own, rewrites, taught] : wanted) {
    if (rewrites) showing[key_of(own)].push_back(own.distill_template);
    if (taught) showing[key_of(own)].push_back(own.teacher_template);
  }
  std::set<std::string> seen;
  auto once = [&](const std::string& what, auto check) {
    if (seen.insert(what).second) problems.gather(check);
  };
  bool sandbox = false;
  for (const auto& [own, rewrites, taught] : wanted) {
    const std::string key = key_of(own);
    if (stages & (kDistill | kTrain))
      once(key, [&, &own = own] {
        inputs.datasets[key] = summed(open_training(run, stages, own, showing[key], prompts));
      });
    if (inputs.datasets.count(key)) {
      const Dataset& dataset = inputs.all(own).dataset;
      if (rewrites)
        once("checks " + key + values_of(own, {"answer_check", "acceptance"}),
             [&, &own = own] { check_rewriting(run, own, dataset, prompts); });
      if (taught) once("on-policy " + key, [&, &own = own] { check_on_policy(run, own, dataset, prompts); });
      once("part " + selection_key(own) + replay_key(own) +
               values_of(own, {"replay_fraction", "val_size", "seed"}),
           [&, &own = own] { check_selection(run, stages, own, prompts, &inputs); });
    }
    if (stages & kTrain)
      once("topk " + std::to_string(taught) +
               values_of(own, {"distillation_mode", "distillation_topk", "objective", "entropy_topk"}),
           [&, &own = own, taught = taught] { check_topk(run, own, taught); });
    if ((stages & kTrain) || !own.adapter_name_or_path.empty())
      once("adapter " +
               values_of(own, {"adapter_name_or_path", "finetuning_type", "lora_rank", "lora_alpha",
                               "lora_dropout", "lora_target", "use_rslora", "use_dora", "init_lora_weights",
                               "rank_pattern", "alpha_pattern", "modules_to_save"}),
           [&, &own = own] { check_adapter(run, own); });
    sandbox |= rewrites && runs_programs(acceptance_checks(own.acceptance, own.answer_check));
  }
  problems.gather([&] { check_memory(run, stages, wanted); });
  for (const TaskSettings& task : recipe.eval) {
    if (!opens_tasks(stages, wanted)) break;
    problems.gather([&] {
      inputs.eval.push_back(open_task(run, task, prompts));
      const EvalSet& set = inputs.eval.back();
      const std::string& check = set.from_file() ? set.tasks.front().check : task.check;
      if (!check.empty()) sandbox |= runs_programs({parse_check(check, kTaskCheck)});
    });
  }
  if (stages & kEval)
    for (const auto& [name, path] : named_adapters(recipe))
      problems.gather([&, &path = path] { check_tuned(run, path); });
  if (sandbox) problems.gather(require_sandbox);
  problems.raise();
  return inputs;
}

}  // namespace sdft
