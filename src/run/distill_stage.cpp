#include <fmt/format.h>

#include <optional>

#include "base/progress.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
DistillOptions distill_options(const RunContext& run) {
  DistillOptions options;
  options.distill_template = run.recipe.distill_template;
  options.training_template = run.recipe.prompt_template;
  options.acceptance = run.recipe.acceptance;
  options.answer_check = run.recipe.answer_check;
  options.rewrite_attempts = run.recipe.rewrite_attempts;
  options.distilled_fraction = run.recipe.distilled_fraction;
  options.generation = run.generation();
  return options;
}
}  // namespace

Fingerprint distill_fingerprint(const RunContext& run, const std::vector<Example>& examples) {
  Fingerprint result = run.seed;
  add_settings(&result, run.recipe, kDistill);
  for (const ChosenCheck& check : acceptance_checks(run.recipe.acceptance, run.recipe.answer_check))
    if (!check.argument.file.empty())
      result.emplace_back("the file " + check.argument.text, sha256(check.argument.file));
  result.emplace_back("the dataset's examples", examples_sha256(examples));
  return result;
}

std::vector<DistilledExample> distill_stage(RunContext& run, const Dataset& dataset) {
  const fs::path dir = run.dir() / "distill";
  if (begin_stage(dir, distill_fingerprint(run, dataset.examples), run.fresh))
    return read_distilled(dir / "distilled.jsonl", dataset);
  load_weights(run);
  std::optional<Progress> progress;  // one an attempt
  int64_t shown = 0;
  const DistillOptions options = distill_options(run);
  auto distilled = distill(run.seed_model(), run.bundle.formatter, dataset, options, dir,
                           [&](int64_t attempt, size_t done, size_t total) {
                             if (attempt != shown) {
                               const std::string label =
                                   attempt == 1 ? "distill" : fmt::format("distill, attempt {}", attempt);
                               progress.reset();
                               progress.emplace(label, total, "answers", run.progress);
                               shown = attempt;
                             }
                             progress->update(done);
                           });
  write_note(dir / "summary.json",
             to_json(summarize(run.seed_model(), run.bundle.formatter, dataset, distilled, options)));
  end_stage(dir);
  return distilled;
}

}  // namespace sdft
