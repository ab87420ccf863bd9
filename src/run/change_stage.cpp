#include "base/error.h"
#include "model/change.h"
#include "run/stages.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

Fingerprint change_fingerprint(const RunContext& run, const VariantJob& job) {
  Fingerprint result = model_fingerprint(run, job.after(run));
  result.emplace_back("method", job.variant.method);
  add_settings(&result, job.recipe, kChange);
  return result;
}

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
  note_shift(parameter_shift(run.seed_model(), result), dir);
  save_trained(recipe, tuned.full, kept, dir);
  end_stage(dir);
}

}  // namespace sdft
