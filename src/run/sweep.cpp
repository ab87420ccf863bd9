#include "run/sweep.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/file.h"
#include "report/sweep.h"
#include "report/watch.h"
#include "run/results.h"
#include "run/stages.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
using Measures = std::map<std::string, double>;

// A model's scores: each task's, and the mean of each kind's; of how near answers are to the seed's the first
// measure counts, as in the report.
Measures scores_of(const report::Evaluation& evaluation, const std::string& model) {
  Measures sums, counts, measures;
  std::map<std::string, std::string> metrics;  // by kind
  for (const report::Task& task : evaluation.tasks)
    for (const report::Score& score : task.scores) {
      if (score.model != model) continue;
      measures["task " + task.name] = score.value;
      const bool first = metrics.emplace(task.kind, task.metric).first->second == task.metric;
      if (task.kind == "similarity" && !first) continue;
      sums[task.kind] += score.value;
      counts[task.kind] += 1;
    }
  for (const auto& [kind, sum] : sums) measures[kind] = sum / counts[kind];
  return measures;
}

void add_rewriting(const fs::path& dir, Measures* measures) {
  if (!stage_done(dir)) return;
  const DistillSummary summary = read_summary(dir / "summary.json");
  double tokens = 0;
  for (const DistillRound& round : summary.rounds) tokens += static_cast<double>(round.tokens);
  (*measures)["tokens"] = tokens;
  if (summary.answers == 0) return;
  (*measures)["accepted"] = static_cast<double>(summary.accepted) / static_cast<double>(summary.answers);
  (*measures)["gap"] = summary.logprob_rewrite - summary.logprob_original;
}

std::vector<std::string> keys_of(const Recipe& recipe) {
  std::vector<std::string> keys;
  for (const auto& [key, values] : recipe.sweep) keys.push_back(key);
  if (!recipe.continual.empty()) keys.emplace_back("stage");
  return keys;
}

// "[\"q_proj\",\"v_proj\"]" as people write it, and paths short.
std::string shown_value(const std::string& value) {
  if (value.empty() || value[0] != '[') return short_path(value);
  std::string text;
  for (const Json& item : parse_json(value, "a swept value"))
    text += (text.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : item.dump());
  return text;
}

report::SweepRun run_of(const Recipe& recipe, const fs::path& run_dir, const Variant& variant,
                        const report::Document& document) {
  report::SweepRun run{variant.listed, variant.method, {}, {}};
  for (const auto& [key, value] : variant.swept) run.settings.push_back({key, shown_value(value)});
  if (document.evaluation) run.measures = scores_of(*document.evaluation, variant.name);
  const fs::path shift = run_dir / variant.name / "shift.json";
  std::error_code none;
  if (fs::exists(shift, none))
    run.measures["shift"] = require<double>(read_json(shift), "total", shift.string());
  if (find_method(variant.method).rewrites)
    add_rewriting(run_dir / distill_folder(recipe, variant), &run.measures);
  if (const report::Watch* watch = report::find_watch(document, variant.name))
    for (const report::WatchedPrompts& prompts : watch->prompts)
      run.measures["kl_" + prompts.name] = report::kept(*watch, prompts.kl);
  for (const report::Learning& learning : document.learning)
    if (learning.variant == variant.name) run.measures["train tokens"] = static_cast<double>(learning.tokens);
  return run;
}

// Of the listed variants, with those settings that are the same in all their runs.
std::vector<report::Learning> learning_of(const report::Document& document,
                                          const std::vector<Variant>& variants) {
  std::vector<report::Learning> all;
  for (report::Learning one : document.learning) {
    for (const Variant& variant : variants)
      if (variant.name == one.variant && !variant.listed.empty()) one.variant = variant.listed;
    one.tokens = 0;  // a measure of each run
    const auto same = std::find_if(all.begin(), all.end(), [&](const report::Learning& other) {
      return std::tie(one.variant, one.method, one.objective, one.divergence) ==
             std::tie(other.variant, other.method, other.objective, other.divergence);
    });
    if (same == all.end()) {
      all.push_back(std::move(one));
      continue;
    }
    auto differs = [&](const report::Setting& setting) {
      return std::none_of(one.settings.begin(), one.settings.end(), [&](const report::Setting& other) {
        return setting.name == other.name && setting.value == other.value;
      });
    };
    same->settings.erase(std::remove_if(same->settings.begin(), same->settings.end(), differs),
                         same->settings.end());
  }
  return all;
}
}  // namespace

std::string sweep_stage(const Recipe& recipe, const fs::path& run_dir) {
  const report::Document document = report::read_document(run_dir / "report.json");
  report::Sweep sweep;
  sweep.title = document.run.title;
  sweep.keys = keys_of(recipe);
  if (document.evaluation) {
    sweep.seed_model = scores_of(*document.evaluation, "seed");
    for (const report::Task& task : document.evaluation->tasks) sweep.tasks.push_back({task.name, task.kind});
  }
  for (const report::Setting& setting : document.run.settings)
    if (std::find(sweep.keys.begin(), sweep.keys.end(), setting.name) == sweep.keys.end())
      sweep.base.push_back(setting);
  const std::vector<Variant> variants = wanted_variants(recipe);
  for (const Variant& variant : variants)
    if (stage_done(run_dir / variant.name)) sweep.runs.push_back(run_of(recipe, run_dir, variant, document));
  sweep.learning = learning_of(document, variants);
  sweep.warnings = report::faults_in_words(document.watches);
  report::write_sweep(sweep, run_dir);
  const std::vector<report::Timing> timings = read_timings(run_dir);
  const auto add_seconds = [&](const std::string& part, const char* measure, Measures* measures) {
    for (const report::Timing& timing : timings)
      if (timing.stage == part) (*measures)[measure] = timing.seconds;
  };
  for (size_t i = 0; i < sweep.runs.size() && sweep.runs.size() == variants.size(); ++i) {
    add_seconds(variants[i].name, "train s", &sweep.runs[i].measures);
    if (find_method(variants[i].method).rewrites)
      add_seconds(distill_folder(recipe, variants[i]), "rewrite s", &sweep.runs[i].measures);
  }
  return report::to_terminal(sweep, report::terminal_style(1));
}

}  // namespace sdft
