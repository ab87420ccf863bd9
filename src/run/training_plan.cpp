#include "run/training_plan.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "model/skeleton.h"
#include "sdft/method.h"

namespace sdft {
namespace {
constexpr double kMiB = 1 << 20, kGiB = 1 << 30;

// What is there before the first weight: libtorch, oneDNN's code, buffers of threads; the tokenizer's tables;
// the examples, their texts and tokens. Measured on Debian's libtorch 1.13.
int64_t process_bytes(const RunContext& run, const VariantJob& job, const std::vector<Sample>& samples) {
  constexpr int64_t kLibraries = 200 << 20, kOfToken = 500, kOfExample = 8192, kOfSampleToken = 12;
  int64_t tokens = 0;
  for (const Sample& sample : samples)
    tokens += static_cast<int64_t>(sample.ids.size() + sample.teacher_ids.size());
  return kLibraries + run.bundle.config.vocab_size * kOfToken + tokens * kOfSampleToken +
         static_cast<int64_t>(job.all->dataset.examples.size()) * kOfExample;
}

// Samples of the training's length: their tokens are not looked at where the student writes them.
std::vector<Sample> planned_samples(const RunContext& run, const VariantJob& job,
                                    const std::vector<Example>& targets, std::vector<std::string>* remarks) {
  const Recipe& recipe = job.recipe;
  std::vector<Sample> samples;
  if (!find_method(job.variant.method).on_policy) {
    const Split split = split_validation(targets, recipe.train.val_size, recipe.seed);
    for (const Example* example : split.train)
      samples.push_back(sample_of(run.bundle.formatter, run.samples(recipe), *example));
    return samples;
  }
  remarks->push_back(
      fmt::format("every answer is counted as {} tokens long (max_new_tokens)", recipe.max_new_tokens));
  const auto context = static_cast<size_t>(run.bundle.config.max_position_embeddings);
  for (const Example& example : targets) {
    Sample sample;
    sample.ids = prompt_ids(run.bundle.formatter, find_prompt_template(recipe.prompt_template), example);
    sample.teacher_ids = prompt_ids(run.bundle.formatter, find_prompt_template(recipe.teacher_template),
                                    example, example.response);
    const size_t longer = std::max(sample.ids.size(), sample.teacher_ids.size());
    const size_t answer = std::min(static_cast<size_t>(recipe.max_new_tokens), context - longer);
    sample.supervised.assign(sample.ids.size(), 0);
    sample.supervised.resize(sample.ids.size() + answer, 1);
    sample.ids.resize(sample.ids.size() + answer);
    sample.teacher_ids.resize(sample.teacher_ids.size() + answer);
    samples.push_back(std::move(sample));
  }
  return samples;
}

// All steps' samples.
using Steps = std::vector<std::vector<const Sample*>>;

Steps steps_of(const VariantJob& job, const std::vector<Sample>& samples) {
  const Recipe& recipe = job.recipe;
  const bool on_policy = find_method(job.variant.method).on_policy;
  const int64_t each = on_policy ? recipe.num_iterations : 1, copies = on_policy ? recipe.num_generations : 1;
  const auto source = fixed_data(samples, recipe.train.samples_per_step(), recipe.seed);
  Steps steps(static_cast<size_t>(total_steps(recipe.train, source->steps_per_epoch() * each)));
  for (size_t step = 0; step < steps.size(); ++step)
    for (const Sample* sample : source->batch(static_cast<int64_t>(step) / each))
      steps[step].insert(steps[step].end(), static_cast<size_t>(copies), sample);
  return steps;
}

LoadedShape shape_of(const RunContext& run) {
  const Recipe& recipe = run.recipe;
  const LoadOptions load = load_options(recipe);
  return recipe.train_from_scratch ? initial_shape(run.bundle.config, load)
                                   : loaded_shape(run.bundle.dir, load);
}

Adapter adapter_shape(const RunContext& run, const VariantJob& job, Model& model) {
  namespace fs = std::filesystem;
  const fs::path after = job.after(run), before = after / "adapter";
  std::error_code none;
  if (!after.empty() && fs::exists(before, none)) return load_adapter(model, before);
  if (after.empty() && !job.recipe.adapter_name_or_path.empty())
    return load_adapter(model, job.recipe.adapter_name_or_path);
  return init_adapter(model, job.recipe.train.lora, job.recipe.seed);
}

ObjectiveMemory objective_of(const VariantJob& job) {
  if (!find_method(job.variant.method).on_policy) return memory_of_objective(job.recipe.train.objective);
  return {true, job.recipe.distillation.teacher.kind == "ema" ? 1 : 0, 0};
}

// Memory of the training with passes of so many tokens.
class Foretelling {
 public:
  Foretelling(const RunContext& run, const VariantJob& job, const std::vector<Sample>& samples,
              const Steps& steps)
      : options_(job.recipe.train),
        steps_(steps),
        loaded_(shape_of(run)),
        objective_(objective_of(job)),
        process_(process_bytes(run, job, samples)) {
    lora_ = options_.finetuning_type == "lora";
    if (lora_)
      adapter_ = adapter_shape(run, job, loaded_.model);
    else if (!job.variant.after.empty())  // the model that it goes on from, beside the seed
      loaded_.bytes += run.bundle.config.parameters() * 4;
  }

  std::vector<PassShape> passes(int64_t tokens) const {
    std::vector<PassShape> all;
    const double dropout = lora_ ? options_.lora.dropout : 0;
    const Beginnings beginnings = beginnings_of(
        loaded_.model, {{dropout}, ops::MatmulPrecision::kFull, {options_.neftune_noise_alpha}});
    for (const auto& step : steps_)
      for (const PassShape& pass : pass_shapes(step, tokens, beginnings)) all.push_back(pass);
    return all;
  }
  MemoryNeed of(int64_t tokens, bool recompute) const {
    return foretold_memory({loaded_.model, lora_ ? &adapter_ : nullptr, loaded_.bytes, process_, objective_},
                           options_, passes(tokens), recompute);
  }

 private:
  const TrainOptions& options_;
  const Steps& steps_;
  LoadedShape loaded_;
  Adapter adapter_;
  bool lora_;
  ObjectiveMemory objective_;
  int64_t process_;
};

std::string gib(int64_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / kGiB); }

std::string parts_of(const MemoryNeed& need) {
  return fmt::format("weights {}, what is trained {}, activations {}, logits and losses {}, the rest {}",
                     gib(need.weights), gib(need.trained), gib(need.activations), gib(need.head),
                     gib(need.process));
}

// The largest passes within the limit, a sixteenth fewer at a time, down to single samples.
void fit(const Foretelling& foretelling, int64_t limit, const std::string& setting, TrainingPlan* plan) {
  const int64_t most = plan->pass_tokens;
  for (const bool recompute : {false, true}) {
    if (plan->gradient_checkpointing && !recompute) continue;
    for (int64_t sixteenths = 16; sixteenths >= 0; --sixteenths) {
      plan->pass_tokens = std::max<int64_t>(1, most * sixteenths / 16);
      plan->gradient_checkpointing = recompute;
      plan->memory = foretelling.of(plan->pass_tokens, recompute);
      if (plan->memory->total() <= limit) return;
    }
  }
  throw Error(
      ExitCode::kDevice,
      fmt::format("memory: {}, but training needs {} even with one sample at a time and "
                  "gradient_checkpointing: true ({}): allow more, or take a smaller cutoff_len, weights: "
                  "bf16 or int8, finetuning_type: lora",
                  setting, gib(plan->memory->total()), parts_of(*plan->memory)));
}
}  // namespace

TrainingPlan plan_training(const RunContext& run, const VariantJob& job,
                           const std::vector<Example>& targets) {
  const Recipe& recipe = job.recipe;
  TrainingPlan plan;
  const std::vector<Sample> samples = planned_samples(run, job, targets, &plan.remarks);
  const Steps steps = steps_of(job, samples);
  plan.steps = static_cast<int64_t>(steps.size());
  int64_t all = 0;
  for (const auto& step : steps) {
    int64_t tokens = 0;
    for (const Sample* sample : step) tokens += static_cast<int64_t>(sample->ids.size());
    all += tokens;
    plan.most_tokens = std::max(plan.most_tokens, tokens);
  }
  plan.mean_tokens = static_cast<double>(all) / static_cast<double>(std::max<int64_t>(1, plan.steps));
  const bool on_cpu = resolve_device(recipe.device).is_cpu();
  plan.pass_tokens = tokens_of_pass(recipe.train, on_cpu);
  plan.gradient_checkpointing = recipe.train.gradient_checkpointing;
  if (!on_cpu || recipe.dtype == "bf16") {
    if (!recipe.memory.empty())
      fail_usage("memory: is foretold on a CPU in f32 alone", "leave it out, or set device: cpu, dtype: f32");
    plan.remarks.emplace_back("memory is foretold on a CPU in f32 alone");
    return plan;
  }
  const Foretelling foretelling(run, job, samples, steps);
  if (recipe.memory.empty())
    plan.memory = foretelling.of(plan.pass_tokens, plan.gradient_checkpointing);
  else
    fit(foretelling, memory_bytes(recipe.memory), recipe.memory, &plan);
  for (const PassShape& pass : foretelling.passes(plan.pass_tokens))
    if (pass.tokens > plan.largest.tokens) plan.largest = pass;
  return plan;
}

std::string describe(const TrainingPlan& plan, const std::string& variant) {
  std::string text = fmt::format("{}: {} steps, {:.0f} tokens a step (most {})\n", variant, plan.steps,
                                 plan.mean_tokens, plan.most_tokens);
  if (plan.memory) {
    const MemoryNeed& need = *plan.memory;
    text +=
        fmt::format("  largest forward pass {} tokens, {} of them learned{}\n", plan.largest.tokens,
                    plan.largest.targets, plan.gradient_checkpointing ? ", with gradient_checkpointing" : "");
    text += fmt::format("  memory {:.0f} MiB at the peak\n", static_cast<double>(need.total()) / kMiB);
    const std::pair<const char*, int64_t> parts[] = {
        {"weights", need.weights},
        {"what is trained, with gradients and moments", need.trained},
        {"activations", need.activations},
        {"logits and losses, or the way back", need.head},
        {"libraries, tokenizer, data", need.process}};
    for (const auto& [name, bytes] : parts)
      text += fmt::format("    {:<46}{:>8.0f}\n", name, static_cast<double>(bytes) / kMiB);
  }
  for (const std::string& remark : plan.remarks) text += "  " + remark + "\n";
  return text;
}

std::string fault_of_memory(const std::string& text) {
  if (text.empty()) return "";
  const char unit = text.back();
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const bool fits = end == text.c_str() + text.size() - 1 && (unit == 'G' || unit == 'M') &&
                    std::isfinite(number) && number > 0 && number < 1e7;
  return fits ? "" : "expected a number of G or M, as 8G or 700M, found " + text;
}

int64_t memory_bytes(const std::string& text) {
  if (text.empty()) return 0;
  return static_cast<int64_t>(std::strtod(text.c_str(), nullptr) * (text.back() == 'G' ? kGiB : kMiB));
}

}  // namespace sdft
