// The stages of a run, each in a folder of its own (stage_folder.h). A stage that is done is skipped; one
// that was killed goes on with what it had.
#pragma once

#include <filesystem>

#include "run/context.h"
#include "run/fingerprint.h"
#include "sdft/distiller.h"

namespace sdft {

// What the results depend on. `examples` of training: with their targets.
Fingerprint distill_fingerprint(const RunContext& run, const std::vector<Example>& examples);
Fingerprint train_fingerprint(const RunContext& run, const std::vector<Example>& examples);
// `trained`: trained_fingerprint() of the variant.
Fingerprint eval_fingerprint(const RunContext& run, const Fingerprint& trained, const TaskSettings& task,
                             const std::vector<Example>& examples);
// The weights that a variant's training left; nothing for "seed".
Fingerprint trained_fingerprint(const std::filesystem::path& run_dir, const std::string& variant);

// DIR/distill/rewrites.jsonl, distilled.jsonl, summary.json (distill_stage.cpp).
std::vector<DistilledExample> distill_stage(RunContext& run, const Dataset& dataset);
// DIR/VARIANT/metrics.jsonl and DIR/VARIANT/adapter (lora) or DIR/VARIANT/model (full). `examples`: with the
// targets of the variant's method (train_stage.cpp).
void train_stage(RunContext& run, const std::string& variant, const std::vector<Example>& examples);

// The answers of a variant, or of "seed", to the evaluation tasks, DIR/eval/VARIANT/TASK/answers.jsonl, and
// where the task's check judges them its results, scores.jsonl. `sets`: the examples of each of the recipe's
// tasks (eval_stage.cpp).
void eval_stage(RunContext& run, const std::string& variant, const std::vector<Dataset>& sets);
std::filesystem::path eval_dir(const std::filesystem::path& run_dir, const std::string& variant,
                               const std::string& task);

// Everything in the run directory as a report (report_stage.cpp): report.json, report.md, report.html;
// returns its text for a terminal.
std::string report_stage(const Recipe& recipe, const std::filesystem::path& run_dir);

}  // namespace sdft
