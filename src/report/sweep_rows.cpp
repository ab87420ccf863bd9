#include "report/sweep_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "report/format.h"
#include "report/watch.h"

namespace sdft::report {
namespace {

constexpr const char* kSeedKey = "seed";
constexpr const char* kStage = "stage";

bool starts_with(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

std::vector<Setting> without(const std::vector<Setting>& settings, const std::string& key) {
  std::vector<Setting> rest;
  for (const Setting& setting : settings)
    if (setting.name != key) rest.push_back(setting);
  return rest;
}

bool same(const std::vector<Setting>& a, const std::vector<Setting>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Setting& x, const Setting& y) {
    return x.name == y.name && x.value == y.value;
  });
}

template <typename T>
void add_once(std::vector<T>* list, const T& item) {
  if (std::find(list->begin(), list->end(), item) == list->end()) list->push_back(item);
}

double found(const std::map<std::string, double>& measures, const std::string& name) {
  const auto at = measures.find(name);
  return at == measures.end() ? kMissing : at->second;
}

enum class Unit { kPercent, kSmallPercent, kCount, kNats, kDecimal, kPlain };
Unit unit_of(const std::string& measure) {
  for (const char* name : {"target", "retained", "safety", "accepted", kForgetting})
    if (measure == name) return Unit::kPercent;
  if (starts_with(measure, "similarity") || starts_with(measure, kTaskPrefix)) return Unit::kPercent;
  if (measure == "shift") return Unit::kSmallPercent;
  if (measure == "tokens" || measure == "train tokens") return Unit::kCount;
  if (starts_with(measure, "kl_")) return Unit::kNats;
  return measure == "gap" ? Unit::kDecimal : Unit::kPlain;
}

}  // namespace

std::optional<std::string> value_of(const std::vector<Setting>& settings, const std::string& key) {
  for (const Setting& setting : settings)
    if (setting.name == key) return setting.value;
  return std::nullopt;
}

bool is_number(const std::string& text, double* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(*value);
}

std::vector<SweepRow> rows_of(const Sweep& sweep) {
  std::vector<SweepRow> rows;
  for (const SweepRun& run : sweep.runs) {
    const std::vector<Setting> settings = without(run.settings, kSeedKey);
    auto row = std::find_if(rows.begin(), rows.end(), [&](const SweepRow& r) {
      return r.variant == run.variant && r.method == run.method && same(r.settings, settings);
    });
    if (row == rows.end()) row = rows.insert(rows.end(), {run.variant, run.method, settings, {}});
    row->runs.push_back(&run);
  }
  return rows;
}

double seed_value(const Sweep& sweep, const std::string& measure) { return found(sweep.seed_model, measure); }

double measure_of(const Sweep& sweep, const SweepRun& run, const std::string& measure) {
  if (measure != kForgetting) return found(run.measures, measure);
  return seed_value(sweep, "retained") - found(run.measures, "retained");
}

Estimate estimate_of(const Sweep& sweep, const SweepRow& row, const std::string& measure) {
  std::vector<double> values;
  for (const SweepRun* run : row.runs)
    if (const double value = measure_of(sweep, *run, measure); known(value)) values.push_back(value);
  return mean_over_seeds(values);
}

std::vector<std::string> measures_of(const Sweep& sweep) {
  std::set<std::string> there;
  for (const SweepRun& run : sweep.runs)
    for (const auto& [name, value] : run.measures)
      if (known(value)) there.insert(name);
  if (there.count("retained") && known(seed_value(sweep, "retained"))) there.insert(kForgetting);
  std::vector<std::string> ordered;
  auto take = [&](const std::string& name) {
    if (there.erase(name)) ordered.push_back(name);
  };
  for (const char* name : {"target", "retained", kForgetting, "safety", "similarity"}) take(name);
  for (const std::string& name : std::set<std::string>(there))
    if (starts_with(name, "similarity")) take(name);
  for (const char* name : {"kl_task", "kl_retained", "shift", "accepted", "gap", "tokens", "train tokens"})
    take(name);
  for (const Setting& task : sweep.tasks) take(kTaskPrefix + task.name);
  for (const std::string& name : std::set<std::string>(there)) take(name);
  return ordered;
}

std::string title_of(const std::string& measure) {
  std::string name = starts_with(measure, kTaskPrefix) ? measure.substr(5) : measure;
  switch (unit_of(measure)) {
    case Unit::kPercent:
      return name + (measure == kForgetting ? ", points" : ", %");
    case Unit::kSmallPercent:
      return "weights moved, %";
    case Unit::kCount:
      return measure == "tokens" ? "tokens generated" : "tokens learned";
    case Unit::kNats:
      return "KL on " + measure.substr(3) + ", nats";
    case Unit::kDecimal:
    case Unit::kPlain:
      break;
  }
  return name;
}

std::string divergence_note(const Sweep& sweep) {
  for (const std::string& measure : measures_of(sweep))
    if (unit_of(measure) == Unit::kNats)
      return " KL is KL(tuned || seed) at the end of the training, nats a token, on what each model itself "
             "answers.";
  return "";
}

// With a real minus sign.
static std::string signed_text(double value, int digits) {
  std::string text = significant(value, digits);
  return value < 0 && text[0] == '-' ? "−" + text.substr(1) : text;
}

std::string value_text(const std::string& measure, double value) {
  switch (unit_of(measure)) {
    case Unit::kPercent:
      return percent_bare(value);
    case Unit::kSmallPercent:
      return signed_text(100 * value, 3);
    case Unit::kCount:
      return known(value) && std::fabs(value) < 1e15 ? grouped(std::llround(value)) : signed_text(value, 3);
    case Unit::kNats:
      return nats(value);
    case Unit::kDecimal:
      return decimal(value, 2);
    case Unit::kPlain:
      break;
  }
  return signed_text(value, 4);
}

std::string interval_text(const std::string& measure, const Estimate& estimate) {
  if (!known(estimate.low) || !known(estimate.high) || estimate.low == estimate.high) return "";
  return "[" + value_text(measure, estimate.low) + ",\u00A0" + value_text(measure, estimate.high) + "]";
}

std::vector<std::string> keys_of(const Sweep& sweep) {
  std::vector<std::string> keys;
  for (const std::string& key : sweep.keys)
    if (key != kSeedKey) keys.push_back(key);
  return keys;
}

std::string label_of(const Sweep& sweep, const SweepRow& row, const std::string& key) {
  std::vector<std::string> parts;
  const bool one_variant = std::all_of(sweep.runs.begin(), sweep.runs.end(),
                                       [&](const SweepRun& run) { return run.variant == row.variant; });
  std::vector<std::string> settings;
  for (const Setting& setting : row.settings) {
    if (setting.name == key) continue;
    std::set<std::string> values;
    for (const SweepRun& run : sweep.runs)
      if (const auto value = value_of(run.settings, setting.name)) values.insert(*value);
    if (values.size() > 1) settings.push_back(setting.name + "=" + setting.value);
  }
  if (!one_variant || settings.empty()) parts.push_back(row.variant);
  parts.insert(parts.end(), settings.begin(), settings.end());
  return join(parts, ", ");
}

// --- Matrices ---

namespace {

// Task names of the runs' measures, where kinds are known of the given one; "": of those with right and wrong
// answers.
std::vector<std::string> tasks_of(const Sweep& sweep, const std::string& kind) {
  std::vector<std::string> names;
  for (const std::string& measure : measures_of(sweep)) {
    if (!starts_with(measure, kTaskPrefix)) continue;
    const std::string name = measure.substr(5);
    const auto of = value_of(sweep.tasks, name);
    if (sweep.tasks.empty() || (kind.empty() ? of != "similarity" : of == kind)) names.push_back(name);
  }
  return names;
}

std::vector<MatrixCell> seed_cells(const Sweep& sweep, const std::vector<std::string>& tasks) {
  std::vector<MatrixCell> cells;
  for (const std::string& task : tasks)
    cells.push_back({{seed_value(sweep, kTaskPrefix + task), kMissing, kMissing}, kMissing});
  return cells;
}

std::vector<MatrixCell> row_cells(const Sweep& sweep, const SweepRow& row,
                                  const std::vector<std::string>& tasks) {
  std::vector<MatrixCell> cells;
  for (const std::string& task : tasks) {
    const Estimate score = estimate_of(sweep, row, kTaskPrefix + task);
    cells.push_back({score, score.value - seed_value(sweep, kTaskPrefix + task)});
  }
  return cells;
}

// "2-flags" names the task "flags"; "" where there is none.
std::string task_of_stage(const std::string& stage, const std::vector<std::string>& tasks) {
  const std::string name = stage.substr(stage.find('-') + 1);
  return std::find(tasks.begin(), tasks.end(), name) != tasks.end() ? name : "";
}

// A chain of stages: of one variant, combination of the other keys, and seed.
using Chain = std::vector<const SweepRun*>;

std::vector<Chain> chains_of(const std::vector<const SweepRow*>& stages) {
  std::vector<Chain> chains;
  std::vector<std::string> seeds;
  for (const SweepRow* row : stages)
    for (const SweepRun* run : row->runs) add_once(&seeds, value_of(run->settings, kSeedKey).value_or(""));
  for (const std::string& seed : seeds) {
    Chain chain;
    for (const SweepRow* row : stages)
      for (const SweepRun* run : row->runs)
        if (value_of(run->settings, kSeedKey).value_or("") == seed) {
          chain.push_back(run);
          break;
        }
    if (chain.size() == stages.size()) chains.push_back(chain);
  }
  return chains;
}

std::string in_points(const Estimate& e, bool difference) {
  std::string text = difference ? points(e.value) + " points" : percent(e.value);
  if (known(e.low) && known(e.high)) text += " " + points_interval({e.low, e.high});
  return text;
}

// Mean backward transfer and final mean over the stages' own tasks.
std::vector<std::string> stage_notes(const std::vector<const SweepRow*>& stages,
                                     const std::vector<std::string>& tasks) {
  std::vector<std::string> own;
  for (const SweepRow* row : stages) own.push_back(task_of_stage(*value_of(row->settings, kStage), tasks));
  std::vector<double> transfers, finals;
  for (const Chain& chain : chains_of(stages)) {
    double transfer = 0, final_sum = 0, before = 0, all = 0;
    for (size_t i = 0; i < chain.size(); ++i) {
      if (own[i].empty()) continue;
      const double then = found(chain[i]->measures, kTaskPrefix + own[i]);
      const double now = found(chain.back()->measures, kTaskPrefix + own[i]);
      final_sum += now;
      ++all;
      if (i + 1 < chain.size()) transfer += now - then, ++before;
    }
    if (before > 0 && known(transfer)) transfers.push_back(transfer / before);
    if (all > 0 && known(final_sum)) finals.push_back(final_sum / all);
  }
  if (finals.empty()) return {"No stage is named after a task, so backward transfer cannot be told."};
  std::vector<std::string> notes;
  if (!transfers.empty())
    notes.push_back("Mean backward transfer " + in_points(mean_over_seeds(transfers), true) +
                    ": what the earlier stages' tasks gained or lost after their own stage.");
  notes.push_back("Final mean of the stages' tasks " + in_points(mean_over_seeds(finals), false) + ".");
  return notes;
}

}  // namespace

std::optional<Matrix> transfer_matrix(const Sweep& sweep) {
  Matrix matrix{"", "trained on", tasks_of(sweep, "target"), {}, {}, {}};
  if (matrix.columns.empty()) return std::nullopt;
  std::vector<SweepRow> rows;
  std::set<std::string> datasets, groups;
  for (SweepRow& row : rows_of(sweep)) {
    const auto dataset = value_of(row.settings, "dataset");
    if (!dataset) continue;
    datasets.insert(*dataset);
    groups.insert(label_of(sweep, row, "dataset"));
    rows.push_back(std::move(row));
  }
  if (datasets.size() < 2) return std::nullopt;
  for (const SweepRow& row : rows) {
    const std::string group = groups.size() > 1 ? " · " + label_of(sweep, row, "dataset") : "";
    matrix.rows.push_back(*value_of(row.settings, "dataset") + group);
    matrix.cells.push_back(row_cells(sweep, row, matrix.columns));
  }
  matrix.rows.insert(matrix.rows.begin(), "seed");
  matrix.cells.insert(matrix.cells.begin(), seed_cells(sweep, matrix.columns));
  return matrix;
}

std::vector<Matrix> stage_matrices(const Sweep& sweep) {
  std::vector<Matrix> matrices;
  const std::vector<SweepRow> rows = rows_of(sweep);
  const std::vector<std::string> tasks = tasks_of(sweep, "");
  std::vector<std::string> groups;
  for (const SweepRow& row : rows)
    if (value_of(row.settings, kStage)) add_once(&groups, label_of(sweep, row, kStage));
  if (tasks.empty()) return {};
  for (const std::string& group : groups) {
    Matrix matrix{group, "after", tasks, {"seed"}, {seed_cells(sweep, tasks)}, {}};
    std::vector<const SweepRow*> stages;
    for (const SweepRow& row : rows) {
      const auto stage = value_of(row.settings, kStage);
      if (!stage || label_of(sweep, row, kStage) != group) continue;
      stages.push_back(&row);
      matrix.rows.push_back(*stage);
      matrix.cells.push_back(row_cells(sweep, row, tasks));
    }
    matrix.notes = stage_notes(stages, tasks);
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

}  // namespace sdft::report
