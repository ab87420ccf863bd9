#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/progress.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// DIR/samples.json and warnings: what of the samples training will not see as it was. Error(kInput) where
// that leaves nothing to learn.
void note_samples(const Session& session, const std::string& variant, const std::vector<Example>& examples,
                  const std::vector<Sample>& samples, const fs::path& dir) {
  Json cut_ids = Json::array();
  size_t unlearned = 0;  // nothing of the answer is left
  size_t spelled = 0;    // special tokens in the dataset's own texts
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto& supervised = samples[i].supervised;
    const bool learned = std::find(supervised.begin(), supervised.end(), uint8_t{1}) != supervised.end();
    unlearned += !learned;
    spelled += samples[i].special_spelled;
    if (samples[i].cut > 0)
      cut_ids.push_back({{"id", examples[i].id}, {"tokens_cut", samples[i].cut}, {"answer_left", learned}});
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
        "train {}: {} of {} samples are longer than {} tokens and were cut, {} with nothing of their answer "
        "left to learn (listed in {})",
        variant, cut_ids.size(), samples.size(), session.samples().cutoff_len, unlearned,
        (dir / "samples.json").string());
  if (unlearned == samples.size())
    fail_input(dir.string(), "every sample is cut before its answer, so that there is nothing to learn",
               "raise cutoff_len, or use a model with a longer context");
}

// A new adapter, or the seed's own to go on with.
Adapter first_adapter(Session& session, LoraConfig* config) {
  const Recipe& recipe = session.recipe;
  if (recipe.adapter_name_or_path.empty()) return init_adapter(session.model, *config, recipe.seed);
  Adapter adapter = load_adapter(session.model, recipe.adapter_name_or_path);
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

void save_trained(Session& session, const Adapter* adapter, const fs::path& dir) {
  const Recipe& recipe = session.recipe;
  const fs::path base = recipe.model_name_or_path;
  if (adapter) {
    save_adapter(*adapter, dir / "adapter", base.string());
    return use_seed(session);
  }
  const std::map<std::string, at::ScalarType> types = {
      {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  save_model(session.model, dir / "model", base, types.at(recipe.save_dtype));
  if (recipe.train_from_scratch) return;
  session.model = {};  // changed; the seed is read again
  load_weights(session);
}
}  // namespace

Fingerprint train_fingerprint(const RunContext& run, const std::vector<Example>& examples) {
  Fingerprint result = run.seed;
  add_settings(&result, run.session.recipe, kTrain);
  result.emplace_back("the examples and their targets", examples_sha256(examples));
  return result;
}

void train_stage(const RunContext& run, const std::string& variant, const std::vector<Example>& examples) {
  const fs::path dir = run.dir / variant;
  if (begin_stage(dir, train_fingerprint(run, examples), run.fresh)) return;
  Session& session = run.session;
  TrainOptions options = session.recipe.train;
  options.seed = session.recipe.seed;
  load_weights(session);
  std::vector<Sample> samples;
  for (const Example& example : examples)
    samples.push_back(sample_of(session.formatter, session.samples(), example));
  note_samples(session, variant, examples, samples, dir);
  const bool lora = options.finetuning_type == "lora";
  Adapter adapter;
  if (lora) adapter = first_adapter(session, &options.lora);
  Progress progress("train " + variant, static_cast<size_t>(total_steps(options, samples.size())), "steps",
                    session.progress);
  train(
      session.model, lora ? &adapter : nullptr, samples, options, dir,
      [&](const StepMetrics& m, int64_t) {
        progress.update(static_cast<size_t>(m.step),
                        fmt::format("loss {:.4f}  {:.0f} tok/s", m.loss, m.tokens_per_second));
      },
      session.stop);
  save_trained(session, lora ? &adapter : nullptr, dir);
  finish_training(dir);
  end_stage(dir);
}

}  // namespace sdft
