#include "base/error.h"
#include "model/change.h"
#include "run/stages.h"
#include "run/watched.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

Fingerprint change_fingerprint(const RunContext& run, const VariantJob& job) {
  Fingerprint result = model_fingerprint(run, job.after(run));
  result.emplace_back("method", job.variant.method);
  add_settings(&result, job.recipe, kChange);
  if (!is_watched(job)) return result;
  add_settings(&result, job.recipe,
               {"template", "watch_samples", "rollout_temperature", "max_new_tokens", "seed"});
  result.emplace_back("the task's examples", job.used->examples_sha256);
  add_watched(&result, job);
  return result;
}

namespace {
// DIR/watch.json, like a line of a training's metrics.jsonl before its first step.
void note_watched(const Measured& measured, const fs::path& dir) {
  Json json = {{"step", 0}, {"fault", ""}};
  for (const auto& [name, value] : measured.values) json[name] = value;
  write_json(dir / "watch.json", json);
}
}  // namespace

void change_stage(RunContext& run, const VariantJob& job) {
  const fs::path dir = run.dir() / job.variant.name;
  if (begin_stage(dir, change_fingerprint(run, job), run.fresh)) return;
  load_weights(run);
  const Recipe& recipe = job.recipe;
  const Model& seed = run.bundle.model;
  TrainedModel tuned(run, job.after(run));
  const bool adapted = tuned.view.adapter != nullptr;
  const bool scales = find_method(job.variant.method).change == Change::kInterpolation;
  if (scales && adapted)
    scale_change(tuned.adapter, seed, recipe.change_scale);
  else if (scales)
    scale_change(tuned.full, seed, recipe.change_scale);
  else if (adapted)
    merge_adapter(tuned.full = clone(seed), tuned.adapter);
  if (!scales) prune_change(tuned.full, seed, recipe.prune_ratio);
  const Adapter* kept = scales && adapted ? &tuned.adapter : nullptr;  // what the result is, where it is one
  const ModelView result = kept ? ModelView(seed, kept) : ModelView(tuned.full);
  if (const Monitor monitor = monitor_of(run, job, result)) note_watched(monitor.measure(result), dir);
  note_shift(parameter_shift(run.seed_model(), result), dir);
  save_trained(recipe, tuned.full, kept, dir);
  end_stage(dir);
}

}  // namespace sdft
