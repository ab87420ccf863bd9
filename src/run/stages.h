// The stages of a run, each in a folder of its own that ends with a file DONE. A stage that is done is
// skipped; one that was killed goes on with what it had.
#pragma once

#include <filesystem>

#include "run/session.h"
#include "sdft/distiller.h"

namespace sdft {

// Training samples of a dataset, with targets that may be rewrites.
std::vector<Sample> training_samples(const Session& session, const Dataset& dataset);

// DIR/rewrites.jsonl, distilled.jsonl, summary.json.
std::vector<DistilledExample> distill_stage(Session& session, const Dataset& dataset,
                                            const std::filesystem::path& dir);

// DIR/metrics.jsonl and DIR/adapter (lora) or DIR/model (full). The model is left as the seed.
void train_stage(Session& session, const std::string& label, const Dataset& dataset,
                 const std::filesystem::path& dir);

// One model's answers to the evaluation tasks: DIR/TASK.jsonl, and DIR/scores.json: per task one number an
// example. variant: folder of a train_stage(), empty for the seed.
void eval_stage(Session& session, const std::string& label, const std::filesystem::path& variant,
                const std::filesystem::path& dir);

// Everything in the run directory as a report: report.json, report.md, report.html; returns its text for a
// terminal.
std::string report_stage(const Recipe& recipe, const std::filesystem::path& run_dir);

// distill, train (vanilla where `baseline`), evaluate, report.
std::string run_all(const Recipe& recipe, const std::atomic<bool>* stop, bool progress);

}  // namespace sdft
