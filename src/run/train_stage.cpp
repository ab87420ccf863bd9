#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/progress.h"
#include "run/stages.h"
#include "train/checkpoint.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// DIR/samples.json and warnings: what of the samples training will not see as it was. Error(kInput) where
// that leaves nothing to learn.
void note_samples(const RunContext& run, const std::string& variant, const std::vector<Example>& examples,
                  const std::vector<Sample>& samples, const fs::path& dir) {
  Json cut_ids = Json::array();
  size_t unlearned = 0;  // nothing of the answer is left
  size_t cut_prompts = 0;
  size_t spelled = 0;  // special tokens in the dataset's own texts
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto& supervised = samples[i].supervised;
    const bool learned = std::find(supervised.begin(), supervised.end(), uint8_t{1}) != supervised.end();
    unlearned += !learned;
    spelled += samples[i].special_spelled;
    if (samples[i].cut > 0)
      cut_ids.push_back({{"id", examples[i].id},
                         {"tokens_cut", samples[i].cut},
                         {"prompt_tokens_cut", samples[i].cut_prompt},
                         {"answer_left", learned}});
    cut_prompts += samples[i].cut_prompt > 0;
  }
  write_note(dir / "samples.json", {{"samples", samples.size()},
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
        "with "
        "nothing of their answer left to learn (listed in {})",
        variant, cut_ids.size(), samples.size(), run.samples().cutoff_len, cut_prompts, unlearned,
        (dir / "samples.json").string());
  if (unlearned == samples.size())
    fail_input(dir.string(), "every sample is cut before its answer, so that there is nothing to learn",
               "raise cutoff_len, or use a model with a longer context");
}

// A new adapter, or the seed's own to go on with.
Adapter first_adapter(RunContext& run, LoraConfig* config) {
  const Recipe& recipe = run.recipe;
  if (recipe.adapter_name_or_path.empty()) return init_adapter(run.bundle.model, *config, recipe.seed);
  Adapter adapter = load_adapter(run.bundle.model, recipe.adapter_name_or_path);
  if (!adapter.replaced.empty())
    fail_input(recipe.adapter_name_or_path,
               "also replaces whole weights (modules_to_save), which training cannot",
               "merge it first: sdft merge");
  adapter.config.dropout = config->dropout;
  spdlog::info("training goes on with the adapter of {}: its rank, alpha and layers hold, not the recipe's",
               recipe.adapter_name_or_path);
  *config = adapter.config;
  return adapter;
}

void save_trained(const Recipe& recipe, const Model& model, const Adapter* adapter, const fs::path& dir) {
  const fs::path base = recipe.model_name_or_path;
  if (adapter) return save_adapter(*adapter, dir / "adapter", base.string());
  const std::map<std::string, at::ScalarType> types = {
      {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  save_model(model, dir / "model", base, types.at(recipe.save_dtype));
}
}  // namespace

Fingerprint train_fingerprint(const RunContext& run, const std::vector<Example>& examples) {
  Fingerprint result = run.seed;
  add_settings(&result, run.recipe, kTrain);
  result.emplace_back("the examples and their targets", examples_sha256(examples));
  return result;
}

void train_stage(RunContext& run, const std::string& variant, const std::vector<Example>& examples) {
  const fs::path dir = run.dir() / variant;
  if (begin_stage(dir, train_fingerprint(run, examples), run.fresh)) return;
  TrainOptions options = run.recipe.train;
  options.seed = run.recipe.seed;
  load_weights(run);
  std::vector<Sample> samples;
  for (const Example& example : examples)
    samples.push_back(sample_of(run.bundle.formatter, run.samples(), example));
  note_samples(run, variant, examples, samples, dir);
  const bool lora = options.finetuning_type == "lora";
  Adapter adapter;
  Model own;  // what full fine-tuning changes: the seed stays
  if (lora) {
    adapter = first_adapter(run, &options.lora);
  } else {
    own = clone(run.bundle.model);
  }
  {
    const auto source = fixed_data(samples, options.samples_per_step(), options.seed);
    Trainer trainer(lora ? run.bundle.model : own, lora ? &adapter : nullptr,
                    make_objective(options.objective, {run.seed_model()}), options,
                    total_steps(options, source->steps_per_epoch()));
    Progress progress("train " + variant, static_cast<size_t>(trainer.total()), "steps", run.progress);
    train(
        trainer, *source, options.save_steps, dir,
        [&](const StepMetrics& m) {
          progress.update(static_cast<size_t>(m.step),
                          fmt::format("loss {:.4f}  {:.0f} tok/s", m.loss, m.tokens_per_second));
        },
        run.stop);
  }
  save_trained(run.recipe, own, lora ? &adapter : nullptr, dir);
  finish_training(dir);
  end_stage(dir);
}

}  // namespace sdft
