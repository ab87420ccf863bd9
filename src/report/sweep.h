// A sweep: one table of many trainings that differ in settings, and the figures that the settings call for. A
// document of its own beside the run's report: sweep.json, sweep.md, sweep.html. The same document gives the
// same bytes.
//
// Runs that differ in the key "seed" alone are one row: the mean, with Student's 95 % t interval over seeds;
// a row of one seed has no interval. What was not measured is absent or NaN and shown as "–".
//
// Figures are chosen from the data:
// - a key whose values are all numbers: forgetting (seed model's "retained" minus the run's) and target
// against it, a
//   line for each variant and combination of the other keys; a logarithmic axis where values span more than
//   20 ×. A run without the key, because its method does not use it, is a level line.
// - a key with texts: the same as dots in a row for each value; without any key but seeds, the variants are
// the values.
// - the key "dataset" also: what each dataset's training did to each target task (transfer between
// distributions).
// - the key "stage" (a continual run): for each variant the scores after each stage, how much of what a
// stage's task had
//   gained was lost by the end (backward transfer), and the mean at the end. Its values are "N-NAME" in
//   order; a stage's task is that called NAME.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "report/report.h"

namespace sdft::report {

inline constexpr int kSweepFormat = 1;  // raised when a document of today could be misread

// One training and its evaluation.
struct SweepRun {
  std::string variant;  // as the recipe lists it, without the swept values
  std::string method;
  std::vector<Setting> settings;  // swept key → value as text; "seed" among them where it was swept
  // "target", "retained", "safety", "similarity": means over the tasks of a kind, 0 to 1; "task NAME": one
  // task's score; "shift" ‖ΔW‖/‖W‖; "kl_task", "kl_retained" KL(tuned || seed) at the end, nats a token;
  // "accepted" share; "gap" log-probability a token, rewrites − originals; "tokens" generated for rewriting;
  // "train tokens" learned, where `learning` says how. Others are shown as they are.
  std::map<std::string, double> measures;
};

struct Sweep {
  std::string title;
  std::vector<std::string> keys;  // in the order of the recipe, "seed" among them where it was swept
  std::map<std::string, double> seed_model;  // the model before tuning: "target", "retained", …, "task NAME"
  std::vector<SweepRun> runs;                // in the order in which they are shown
  std::vector<Setting> base;                 // settings that all runs share, worth reading
  std::vector<Setting> tasks;                // task → kind, in the recipe's order; empty: unknown
  std::vector<Learning> learning;            // of the listed variants, without what was swept; may be empty
  std::vector<std::string> warnings;         // sentences shown on top: trainings that ended early
};

Json to_json(const Sweep& sweep);
// Error(kInput) naming the place of an unknown key, a wrong type, a setting that `keys` lacks, a key twice.
Sweep sweep_from_json(const Json& json, const std::string& where);
Sweep read_sweep(const std::filesystem::path& path);

std::string to_terminal(const Sweep& sweep, const TerminalStyle& style = {});
std::string to_markdown(const Sweep& sweep);
std::string to_html(const Sweep& sweep);

// Writes sweep.json, sweep.md and sweep.html into `directory`, each of them whole or not at all.
void write_sweep(const Sweep& sweep, const std::filesystem::path& directory);

}  // namespace sdft::report
