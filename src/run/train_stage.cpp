#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "model/gguf_folder.h"
#include "model/shift.h"
#include "report/tracking.h"
#include "run/stages.h"
#include "run/training_plan.h"
#include "run/watched.h"
#include "sdft/method.h"
#include "sdft/on_policy.h"
#include "train/checkpoint.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::vector<Sample> samples_of(const RunContext& run, const VariantJob& job,
                               const std::vector<const Example*>& examples) {
  std::vector<Sample> samples;
  for (const Example* example : examples)
    samples.push_back(sample_of(run.bundle.formatter, run.samples(job.recipe), *example));
  return samples;
}

// Whether all samples were cut before their answers.
bool nothing_to_learn(const std::vector<Sample>& samples) {
  return std::all_of(samples.begin(), samples.end(),
                     [](const Sample& s) { return supervised_tokens(s) == 0; });
}

// DIR/samples.json and warnings: what of the samples training will not see as it was. Error(kInput) where
// that leaves nothing to learn, or to validate with.
void note_samples(const RunContext& run, const VariantJob& job, const std::vector<Sample>& samples,
                  const std::vector<Sample>& held_back, const fs::path& dir) {
  const std::string& variant = job.variant.name;
  Json cut_ids = Json::array();
  size_t unlearned = 0;  // nothing of the answer is left
  size_t cut_prompts = 0;
  size_t spelled = 0;  // special tokens in the dataset's own texts
  for (const Sample& sample : samples) {
    const auto& supervised = sample.supervised;
    const bool learned = std::find(supervised.begin(), supervised.end(), uint8_t{1}) != supervised.end();
    unlearned += !learned;
    spelled += sample.special_spelled;
    if (sample.cut > 0)
      cut_ids.push_back({{"id", sample.id},
                         {"tokens_cut", sample.cut},
                         {"prompt_tokens_cut", sample.cut_prompt},
                         {"answer_left", learned}});
    cut_prompts += sample.cut_prompt > 0;
  }
  write_json(dir / "samples.json", {{"samples", samples.size()},
                                    {"held_back", held_back.size()},
                                    {"unlearned", unlearned},
                                    {"special_spelled", spelled},
                                    {"cut", cut_ids}});
  if (spelled > 0)
    spdlog::warn(
        "train {}: texts of the dataset spell out special tokens {} times; they stay plain characters",
        variant, spelled);
  if (!cut_ids.empty())
    spdlog::warn(
        "train {}: {} of {} samples are longer than {} tokens and were cut, {} of them within a prompt, {} "
        "with nothing of their answer left to learn (listed in {})",
        variant, cut_ids.size(), samples.size(), run.samples(job.recipe).cutoff_len, cut_prompts, unlearned,
        (dir / "samples.json").string());
  if (unlearned == samples.size())
    fail_input(dir.string(), "every sample is cut before its answer, so that there is nothing to learn",
               "raise cutoff_len, or use a model with a longer context");
  if (!held_back.empty() && nothing_to_learn(held_back))
    fail_input(dir.string(),
               "every sample that val_size holds back is cut before its answer: none can be measured",
               "raise cutoff_len, or val_size");
}

// Divides each step as the plan has it, and says so.
void keep_within(const TrainingPlan& plan, const VariantJob& job, TrainOptions* options) {
  const bool fewer = plan.pass_tokens < tokens_of_pass(*options, true),
             again = plan.gradient_checkpointing && !options->gradient_checkpointing;
  const std::string how = fewer ? fmt::format("at most {} tokens at once, or one sample", plan.pass_tokens)
                                : "as many samples at once as the settings say";
  spdlog::info("train {}: memory: {}: {}{}; {} MiB are foretold", job.variant.name, job.recipe.memory, how,
               again ? ", with gradient_checkpointing" : "", plan.memory->total() >> 20);
  options->pass_tokens = plan.pass_tokens;
  options->gradient_checkpointing = plan.gradient_checkpointing;
}

// A new adapter, or that of the model that training goes on from.
Adapter first_adapter(RunContext& run, const VariantJob& job, LoraConfig* config) {
  const Recipe& recipe = job.recipe;
  const fs::path after = job.after(run);
  const fs::path from = after.empty() ? fs::path(recipe.adapter_name_or_path) : after / "adapter";
  if (from.empty()) return init_adapter(run.bundle.model, *config, recipe.seed);
  Adapter adapter = load_adapter(run.bundle.model, from);
  for (const auto& [name, pair] : adapter.pairs)
    if (pair.scale == 0)
      fail_input(from.string(), "scales its updates by 0, so that nothing could be learned",
                 "go on from another change_scale, or from the seed");
  adapter.config.dropout = config->dropout;
  spdlog::info(
      "training goes on with the adapter of {}: its kind, rank, alpha and layers hold, not the recipe's",
      from.string());
  *config = adapter.config;
  return adapter;
}

void tell_validation(const std::string& variant, const Trainer& trainer, const TrainingHistory& history) {
  if (!history.fault.empty())
    return spdlog::warn("train {}: ended after step {} of {}, with the parameters of step {}: {}", variant,
                        trainer.steps(), trainer.total(), history.sound_step, history.fault);
  if (trainer.steps() < trainer.total())
    spdlog::info("train {}: stopped after step {} of {}: {} measurements without a new best", variant,
                 trainer.steps(), trainer.total(), history.since_best);
  if (history.best_step > 0)
    spdlog::info("train {}: lowest validation loss {:.4f} after step {}{}", variant, history.best_loss,
                 history.best_step,
                 trainer.options().load_best_model_at_end ? ", whose parameters are kept" : "");
}

}  // namespace

void note_shift(const ParameterShift& shift, const fs::path& dir) {
  const auto rounded = [](double value) { return std::stod(fmt::format("{:.5e}", value)); };
  Json modules = Json::array();
  for (const ModuleShift& module : shift.modules)
    modules.push_back({{"layer", module.layer ? Json(*module.layer) : Json()},
                       {"module", module.module},
                       {"shift", rounded(module.shift)}});
  write_json(dir / "shift.json", {{"total", rounded(shift.total)}, {"modules", modules}});
}

void save_trained(const Recipe& recipe, const Model& model, const Adapter* adapter, const fs::path& dir) {
  const fs::path base = recipe.model_name_or_path;
  if (adapter) return save_adapter(*adapter, dir / "adapter", base.string());
  const std::map<std::string, at::ScalarType> types = {
      {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  save_model(model, dir / "model", model_folder(base), types.at(recipe.save_dtype));
}

namespace {
// What a training learns from, and how.
struct Lesson {
  std::vector<Sample> samples, held_back;  // that are given: none of a method that writes its own
  std::unique_ptr<BatchSource> source;
  std::unique_ptr<Objective> objective;
};

// Of what must be kept, for the objective that asks for it.
std::vector<Sample> kept_samples(const RunContext& run, const VariantJob& job) {
  std::vector<const Example*> examples;
  if (job.recipe.train.objective == "ewc")
    for (const Example& example : job.replay->examples)
      if (examples.size() < static_cast<size_t>(job.recipe.fisher_samples)) examples.push_back(&example);
  return samples_of(run, job, examples);
}

// student: what training changes, as it is before the first step.
Lesson given_answers(const RunContext& run, const VariantJob& job, const Split& split, ModelView seed,
                     ModelView student, const fs::path& dir) {
  const TrainOptions& options = job.recipe.train;
  Lesson lesson;
  const std::vector<Sample> kept = kept_samples(run, job);
  lesson.objective = make_objective(options.objective, {seed, student, options.objective_options, &kept});
  lesson.samples = samples_of(run, job, split.train);
  const bool empty = nothing_to_learn(lesson.samples);
  lesson.samples = lesson.objective->selected(std::move(lesson.samples));
  if (!empty && nothing_to_learn(lesson.samples))
    fail_input(dir.string(), "objective: " + options.objective + " leaves no token to learn",
               "raise max_perplexity");
  lesson.held_back = lesson.objective->selected(samples_of(run, job, split.validation));
  note_samples(run, job, lesson.samples, lesson.held_back, dir);
  lesson.source = fixed_data(lesson.samples, options.samples_per_step(), job.recipe.seed);
  return lesson;
}

// seed: what training starts from.
Lesson own_answers(const RunContext& run, const VariantJob& job, const std::vector<Example>& demonstrations,
                   ModelView seed, ModelView student) {
  const Recipe& recipe = job.recipe;
  OnPolicyOptions options;
  options.training_template = recipe.prompt_template;
  options.teacher_template = recipe.teacher_template;
  options.prompts_per_step = recipe.train.samples_per_step();
  options.num_generations = recipe.num_generations;
  options.num_iterations = recipe.num_iterations;
  options.num_loss_tokens_to_skip = recipe.num_loss_tokens_to_skip;
  options.generate_from_teacher = recipe.generate_from_teacher;
  options.generation = run.generation(recipe);
  options.generation.sampling = recipe.rollout;
  DistillationOptions distillation = recipe.distillation;
  distillation.alpha = find_divergence(recipe.train.objective_options.divergence);
  Lesson lesson;
  lesson.source = on_policy_data(student, run.bundle.formatter, demonstrations, options);
  lesson.objective = make_distillation(seed, student, distillation);
  return lesson;
}
}  // namespace

Fingerprint train_fingerprint(const RunContext& run, const VariantJob& job,
                              const std::vector<Example>& targets) {
  Fingerprint result = model_fingerprint(run, job.after(run));
  add_settings(&result, job.recipe, kTrain);
  add_watched(&result, job);
  const bool on_policy = find_method(job.variant.method).on_policy;
  if (on_policy) result.emplace_back("method", job.variant.method);
  if (on_policy || is_watched(job.recipe, on_policy))
    result.emplace_back("max_new_tokens", std::to_string(job.recipe.max_new_tokens));
  if (job.recipe.train.objective == "ewc")
    result.emplace_back("the examples of replay_dataset", examples_sha256(job.replay->examples));
  result.emplace_back("the examples and their targets", examples_sha256(targets));
  return result;
}

void train_stage(RunContext& run, const VariantJob& job, const std::vector<Example>& targets) {
  const std::string& variant = job.variant.name;
  const fs::path dir = run.dir() / variant;
  if (begin_stage(dir, train_fingerprint(run, job, targets), run.fresh)) return;
  if (targets.empty())
    fail_input(dir.string(), "no example is left to learn", "use fallback: original, or other checks");
  TrainOptions options = job.recipe.train;
  options.seed = job.recipe.seed;
  if (!job.recipe.memory.empty()) keep_within(plan_training(run, job, targets), job, &options);
  load_weights(run);
  const Split split = split_validation(targets, options.val_size, options.seed);
  write_examples(split.train, dir / "train.jsonl");
  const TrainedModel start(run, job.after(run));
  const bool lora = options.finetuning_type == "lora";
  Adapter adapter;
  Model own;  // what full fine-tuning changes: the model that it starts from stays
  if (lora) {
    adapter = first_adapter(run, job, &options.lora);
  } else {
    own = clone(*start.view.weights);
  }
  const ModelView student(lora ? run.bundle.model : own, lora ? &adapter : nullptr);
  {
    Lesson lesson = find_method(job.variant.method).on_policy
                        ? own_answers(run, job, targets, start.view, student)
                        : given_answers(run, job, split, run.seed_model(), student, dir);
    Trainer trainer(lora ? run.bundle.model : own, lora ? &adapter : nullptr, std::move(lesson.objective),
                    options, total_steps(options, lesson.source->steps_per_epoch()));
    Progress progress("train " + variant, static_cast<size_t>(trainer.total()), "steps", run.progress);
    std::string validation;  // as it was last measured
    const TrainingHistory history = train(
        trainer, *lesson.source, lesson.held_back, monitor_of(run, job, start.view), dir,
        [&](const StepMetrics& m) {
          if (m.validation_loss) validation = fmt::format("  validation {:.4f}", *m.validation_loss);
          progress.update(static_cast<size_t>(m.step), fmt::format("loss {:.4f}{}  {:.0f} tok/s", m.loss,
                                                                   validation, m.tokens_per_second));
        },
        run.stop);
    tell_validation(variant, trainer, history);
    report::write_tracking(dir,
                           {trainer.total(), options.num_train_epochs, options.per_device_train_batch_size,
                            options.eval_steps, options.save_steps});
  }
  note_shift(parameter_shift(run.seed_model(), student), dir);
  save_trained(job.recipe, own, lora ? &adapter : nullptr, dir);
  finish_training(dir);
  end_stage(dir);
}

}  // namespace sdft
