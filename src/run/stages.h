// The stages of a run, each in a folder of its own (stage_folder.h). A stage that is done is skipped; one
// that was killed goes on with what it had.
#pragma once

#include <filesystem>

#include "model/shift.h"
#include "run/context.h"
#include "run/eval_set.h"
#include "run/fingerprint.h"
#include "run/validate.h"
#include "run/variants.h"
#include "sdft/distiller.h"

namespace sdft {

// A variant with what its stages need.
struct VariantJob {
  Variant variant;
  Recipe recipe;                     // as it holds for the variant
  const TaskData* all;               // the task's examples
  const TaskData* used;              // those of them that it uses
  const Dataset* replay;             // null where it replays nothing
  const std::vector<EvalSet>* eval;  // as the recipe's eval; empty where nothing is watched or evaluated
  std::string distill;               // distill_folder(); "" where it learns no rewrites
  std::filesystem::path replayed;    // replay_folder()

  std::filesystem::path after(const RunContext& run) const {  // "" for the seed
    return variant.after.empty() ? std::filesystem::path() : run.dir() / variant.after;
  }
  // Whose model writes the rewrites.
  std::filesystem::path writer(const RunContext& run) const {
    return recipe.rewriter == "seed" ? std::filesystem::path() : after(run);
  }
};

// What the results depend on. `targets`: the examples as they are learned.
Fingerprint distill_fingerprint(const RunContext& run, const VariantJob& job);
Fingerprint train_fingerprint(const RunContext& run, const VariantJob& job,
                              const std::vector<Example>& targets);
// `trained`: trained_fingerprint() of the variant.
Fingerprint eval_fingerprint(const RunContext& run, const Fingerprint& trained, const TaskSettings& task,
                             const EvalSet& set);
// The weights that a variant's training left in its folder; nothing for "", the seed.
Fingerprint trained_fingerprint(const std::filesystem::path& variant_dir);
// The seed with its adapter, and what was trained upon it.
Fingerprint model_fingerprint(const RunContext& run, const std::filesystem::path& variant_dir);

// DIR/DISTILL/distilled.jsonl, summary.json, and what the model wrote under DIR/drafts (distill_stage.cpp).
void distill_stage(RunContext& run, const VariantJob& job);
// DIR/VARIANT/train.jsonl, metrics.jsonl, and adapter (lora) or model (full) (train_stage.cpp).
void train_stage(RunContext& run, const VariantJob& job, const std::vector<Example>& targets);

// DIR/drafts/SOURCE-HASH/replay.jsonl: what the seed makes up to replay (replay_stage.cpp). It is named after
// its origin, so that variants share it.
void replay_stage(RunContext& run, const VariantJob& job);
// Its folder; "" where the seed makes up nothing. Of a job whose `replayed` is not known yet.
std::filesystem::path replay_folder(const RunContext& run, const VariantJob& job);
// DIR/VARIANT/adapter or model of a method that trains nothing (change_stage.cpp).
Fingerprint change_fingerprint(const RunContext& run, const VariantJob& job);
void change_stage(RunContext& run, const VariantJob& job);
// What a variant's folder holds besides: adapter (lora) or model (full), and shift.json, in six digits: what
// they are does not depend on the order in which threads sum.
void save_trained(const Recipe& recipe, const Model& model, const Adapter* adapter,
                  const std::filesystem::path& dir);
void note_shift(const ParameterShift& shift, const std::filesystem::path& dir);

// The answers of variants, and of "seed", to the evaluation tasks, DIR/eval/VARIANT/TASK/answers.jsonl, and
// where the task judges them its results, scores.jsonl; of task files also items.jsonl, with the values of
// all metrics. Adapters answer in the same batches as the seed. `sets`: the recipe's tasks (eval_stage.cpp).
void eval_stage(RunContext& run, const std::vector<std::string>& variants, const std::vector<EvalSet>& sets);
// Where a variant's training is, or a model of the recipe's `adapters`; "" for the seed.
std::filesystem::path variant_dir(const Recipe& recipe, const std::string& variant);
std::filesystem::path eval_dir(const std::filesystem::path& run_dir, const std::string& variant,
                               const std::string& task);

// Everything in the run directory as a report (report_stage.cpp): report.json, report.md, report.html;
// returns its text for a terminal.
std::string report_stage(const Recipe& recipe, const std::filesystem::path& run_dir);

}  // namespace sdft
