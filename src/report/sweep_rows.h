// A sweep as rows, matrices and series: what its table and figures are drawn from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/statistics.h"
#include "report/sweep.h"

namespace sdft::report {

inline constexpr const char* kForgetting = "forgetting";  // seed model's "retained" minus the run's
inline constexpr const char* kTaskPrefix = "task ";

// Runs that differ in their seed alone.
struct SweepRow {
  std::string variant;
  std::string method;
  std::vector<Setting> settings;  // without "seed"
  std::vector<const SweepRun*> runs;
};
std::vector<SweepRow> rows_of(const Sweep& sweep);
std::optional<std::string> value_of(const std::vector<Setting>& settings, const std::string& key);
// Over the row's runs that have it, with "forgetting"; NaN where none has.
Estimate estimate_of(const Sweep& sweep, const SweepRow& row, const std::string& measure);
double measure_of(const Sweep& sweep, const SweepRun& run, const std::string& measure);
double seed_value(const Sweep& sweep, const std::string& measure);

// Those that any run has: kinds and forgetting first, single tasks in their order, then others.
std::vector<std::string> measures_of(const Sweep& sweep);
// What the columns of divergence are, a sentence with a space in front; "" where there are none.
std::string divergence_note(const Sweep& sweep);
std::string title_of(const std::string& measure);                  // "target, %"; plain text
std::string value_text(const std::string& measure, double value);  // "71.0", under title_of's unit
std::string interval_text(const std::string& measure, const Estimate& estimate);  // "[64.4, 76.8]" or ""
// The swept keys that the table and figures have, without "seed".
std::vector<std::string> keys_of(const Sweep& sweep);
// What tells rows apart, without `key`: "ours, lora_rank=64".
std::string label_of(const Sweep& sweep, const SweepRow& row, const std::string& key = "");
bool is_number(const std::string& text, double* value);

// A table whose cells are scores and their change against the seed model.
struct MatrixCell {
  Estimate score{kMissing, kMissing, kMissing};
  double change = kMissing;
};
struct Matrix {
  std::string title;                 // "" for the one of a dataset sweep
  std::string corner;                // "trained on", "after"
  std::vector<std::string> columns;  // tasks
  std::vector<std::string> rows;
  std::vector<std::vector<MatrixCell>> cells;
  std::vector<std::string> notes;  // sentences below it
};
// Rows: the seed model and what was trained on; columns: target tasks. Nothing without a key "dataset".
std::optional<Matrix> transfer_matrix(const Sweep& sweep);
// One a variant and combination of the other keys. Nothing without a key "stage".
std::vector<Matrix> stage_matrices(const Sweep& sweep);

}  // namespace sdft::report
