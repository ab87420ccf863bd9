#include <spdlog/spdlog.h>

#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "run/stages.h"
#include "sdft/replay.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
size_t wanted(const VariantJob& job) {
  return replay_count(job.used->dataset.examples.size(), job.recipe.replay_fraction);
}

Fingerprint origin(const RunContext& run, const VariantJob& job) {
  Fingerprint result = run.seed;
  result.emplace_back("template", prompt_identity(job.recipe.prompt_template));
  add_settings(&result, job.recipe,
               {"replay_source", "dialogue_turns", "prompt_layout", "seed", "temperature", "top_k", "top_p",
                "max_new_tokens"});
  result.emplace_back("number of examples", std::to_string(wanted(job)));
  if (job.replay) result.emplace_back("the replayed prompts", examples_sha256(job.replay->examples));
  return result;
}
}  // namespace

fs::path replay_folder(const RunContext& run, const VariantJob& job) {
  if (!replays(job.recipe) || find_replay_source(job.recipe.replay_source) == ReplaySource::kDataset)
    return "";
  return run.dir() / "drafts" / (job.recipe.replay_source + "-" + short_sum(origin(run, job)));
}

void replay_stage(RunContext& run, const VariantJob& job) {
  const fs::path& dir = job.replayed;
  if (begin_stage(dir, origin(run, job), run.fresh)) return;
  load_weights(run);
  ReplayOptions options;
  options.training_template = job.recipe.prompt_template;
  options.turns = job.recipe.dialogue_turns;
  options.generation = run.generation(job.recipe);
  std::optional<Progress> progress;  // one a part
  std::string shown;
  const auto on_progress = [&](const std::string& part, const Standing& answers, size_t total) {
    if (part != shown) {
      progress.reset();
      progress.emplace("replay " + part, total, "texts", run.progress);
      shown = part;
    }
    progress->update(answers);
  };
  const bool dialogue = !job.replay;
  const std::vector<Example> made =
      dialogue
          ? self_dialogues(run.seed_model(), run.bundle.formatter, wanted(job), options, dir, on_progress)
          : own_answers(run.seed_model(), run.bundle.formatter,
                        drawn_replay(*job.replay, wanted(job), job.recipe.seed), options, dir, on_progress);
  progress.reset();
  if (made.empty() && wanted(job) > 0)
    fail_input(dir.string(),
               "the seed made up nothing that ends by itself, so that there is nothing to replay",
               "raise max_new_tokens, or use replay_source: dataset");
  if (made.size() < wanted(job))
    spdlog::info("{}: {} of {} are replayed; the others did not end by themselves, or were there before",
                 dir.string(), made.size(), wanted(job));
  std::vector<const Example*> list;
  for (const Example& example : made) list.push_back(&example);
  write_examples(list, dir / "replay.jsonl");
  end_stage(dir);
}

}  // namespace sdft
