// From the files of a run directory to the report's document. Reads nothing else but the evaluation's
// datasets, for the prompts and references of sample answers; no clock and no timing, so that a resumed run
// writes the same bytes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "check/check.h"
#include "report/card.h"
#include "report/example_pages.h"
#include "report/report.h"
#include "run/evaluation.h"
#include "run/report_training.h"
#include "run/results.h"
#include "run/stages.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// The lines of distilled.jsonl: a few rewrites to show (three accepted and, where there are any, two of each
// reason), and how likely the seed finds each accepted one and its original. Returns their number, and in
// `listed` as many as a page has.
size_t add_examples(const fs::path& path, report::Distillation* d, std::vector<report::Rewrite>* listed) {
  std::map<std::string, size_t> shown;
  size_t all = 0;
  std::vector<double> originals, rewrites;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    auto text = [&](const char* key) { return require<std::string>(json, key, where); };
    const bool accepted = require<bool>(json, "accepted", where);
    const std::string outcome = accepted ? "accepted" : text("reason");
    const report::Rewrite rewrite_of{text("id"),       value_or<std::string>(json, "instruction", "", where),
                                     text("original"), text("rewrite"),
                                     outcome,          value_or<std::string>(json, "matched", "", where)};
    if (shown[outcome]++ < (accepted ? 3u : 2u)) d->samples.push_back(rewrite_of);
    if (all++ < report::kMostListed) listed->push_back(rewrite_of);
    const auto logprob = [&](const char* key) {
      return value_or<double>(json, key, report::kMissing, where);
    };
    const double original = logprob("logprob_original"), rewrite = logprob("logprob_rewrite");
    if (!accepted || std::isnan(original) || std::isnan(rewrite)) return;
    originals.push_back(original);
    rewrites.push_back(rewrite);
  });
  d->logprobs = report::make_histogram(originals, rewrites);
  return all;
}

// The set, and DIR/rewrites.html.
report::Distillation read_distillation(const fs::path& dir, report::Run* run) {
  const DistillSummary s = read_summary(dir / "summary.json");
  report::Distillation d;
  d.name = dir.filename().string();
  d.examples = static_cast<int64_t>(s.answers);
  d.accepted = static_cast<int64_t>(s.accepted);
  for (const DistillRound& round : s.rounds)
    d.rounds.push_back(
        {round.name, static_cast<int64_t>(round.asked), static_cast<int64_t>(round.accepted), round.tokens});
  d.unchanged = static_cast<int64_t>(s.unchanged);
  for (const auto& [reason, count] : s.rejected)
    if (reason != kPromptDidNotFit) d.rejected.push_back({reason, static_cast<int64_t>(count)});
  d.too_long = s.too_long;
  d.length_ratio = s.length_ratio;
  d.measured = static_cast<int64_t>(s.measured);
  d.logprob_original = s.logprob_original;
  d.logprob_rewrite = s.logprob_rewrite;
  std::vector<report::Rewrite> listed;
  const size_t all = add_examples(dir / "distilled.jsonl", &d, &listed);
  write_file_atomic(dir / "rewrites.html",
                    report::rewrites_page(run->title, listed, all, d.name + "/distilled.jsonl"));
  run->pages.push_back({"all rewrites of " + d.name, d.name + "/rewrites.html"});
  return d;
}

// Each set of rewrites once, in the order of the variants that learn it.
std::vector<report::Distillation> read_distillations(const Recipe& recipe, const fs::path& run_dir,
                                                     report::Run* run) {
  std::vector<report::Distillation> all;
  for (const Variant& variant : known_variants(recipe)) {
    if (!find_method(variant.method).rewrites) continue;
    const fs::path dir = run_dir / distill_folder(recipe, variant);
    if (!stage_done(dir)) continue;
    auto found = std::find_if(all.begin(), all.end(), [&](const report::Distillation& d) {
      return d.name == dir.filename().string();
    });
    if (found == all.end()) found = all.insert(all.end(), read_distillation(dir, run));
    found->variants.push_back(variant.name);
  }
  return all;
}

void add_provenance(const Recipe& recipe, const fs::path& dir, report::Document* document) {
  const fs::path path = dir / "provenance.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  report::Run& run = document->run;
  run.title = fs::path(recipe.model_name_or_path).filename().string();
  if (!recipe.dataset.empty()) run.title = fs::path(recipe.dataset).stem().string() + " on " + run.title;
  run.version = require<std::string>(json, "sdft", where);
  run.seed = recipe.seed;
  for (const Variant& variant : wanted_variants(recipe))
    if (variant.name != document->baseline) run.method += (run.method.empty() ? "" : ", ") + variant.name;
  const auto model = require<Json>(json, "model", where);
  run.seed_model = {require<std::string>(model, "path", where),
                    require<std::string>(model, "architecture", where),
                    require<int64_t>(model, "parameters", where), ""};
  auto file = [&](const std::string& role, const Json& entry) {
    run.datasets.push_back({role, require<std::string>(entry, "path", where),
                            require<std::string>(entry, "sha256", where),
                            require<int64_t>(entry, "examples", where)});
  };
  for (const Json& entry : value_or<Json>(json, "datasets", Json::array(), where)) file("train", entry);
  for (const Json& entry : value_or<Json>(json, "eval", Json::array(), where))
    file(require<std::string>(entry, "name", where), entry);
  run.versions = {{"libtorch", require<std::string>(json, "libtorch", where)},
                  {"device", require<std::string>(json, "device", where)}};
  run.recipe = read_text(dir / "recipe.yaml");
  Recipe copy = recipe;
  for (const Setting& setting : settings(copy))
    if (setting.reported) run.settings.push_back({setting.name, value_text(setting)});
  const size_t skipped = value_or<Json>(json, "skipped", Json::array(), where).size();
  if (skipped > 0)
    document->warnings.push_back(
        fmt::format("{} records of the dataset were skipped; provenance.json lists them.", skipped));
  const auto failures = read_failures(dir);
  for (const Variant& known : known_variants(recipe)) {
    const std::string& variant = known.name;
    if (const auto failure = failures.find(variant); failure != failures.end())
      document->warnings.push_back(variant + " was not made: " + failure->second);
    const fs::path samples = dir / variant / "samples.json";
    if (!fs::exists(samples)) continue;
    const Json note = read_json(samples);
    const size_t cut = require<Json>(note, "cut", samples.string()).size();
    const auto unlearned = require<size_t>(note, "unlearned", samples.string());
    if (cut > 0)
      document->warnings.push_back(fmt::format(
          "{} training samples of {} were cut, {} of them before their answer; {}/samples.json lists them.",
          cut, variant, unlearned, variant));
  }
}

// changes.html, where the seed and tuned models were judged right or wrong.
void write_changes(const Recipe& recipe, const fs::path& run_dir, const std::vector<std::string>& models,
                   report::Run* run) {
  size_t all = 0;
  const std::vector<report::ChangedExample> changed =
      changed_examples(recipe, run_dir, models, report::kMostListed, &all);
  if (changed.empty()) return;
  write_file_atomic(run_dir / "changes.html", report::changes_page(run->title, changed, all));
  run->pages.push_back({"what was forgotten and gained", "changes.html"});
}

// README.md of each adapter and model that the run has trained: here, where the scores are known. No stage is
// made from it (folder_sha256()).
void write_cards(const Recipe& recipe, const fs::path& run_dir, const report::Document& document) {
  for (const Variant& variant : known_variants(recipe))
    for (const char* part : {"adapter", "model"}) {
      const fs::path folder = run_dir / variant.name / part;
      std::error_code none;
      if (stage_done(run_dir / variant.name) && fs::is_directory(folder, none))
        write_file_atomic(folder / "README.md",
                          report::to_card(document, variant.name, std::string_view(part) == "adapter"));
    }
}
}  // namespace

std::string report_stage(const Recipe& recipe, const fs::path& run_dir) {
  report::Document document;
  document.baseline = baseline_of(recipe);
  add_provenance(recipe, run_dir, &document);
  document.distillations = read_distillations(recipe, run_dir, &document.run);
  add_trainings(recipe, run_dir, &document);
  const std::vector<std::string> models = evaluated_models(recipe, run_dir);
  if (!models.empty()) document.evaluation = read_evaluation(recipe, run_dir, models);
  write_changes(recipe, run_dir, models, &document.run);
  const std::vector<report::Timing> timings = read_timings(run_dir);
  document.run.pages.push_back({"times and costs", "timings.html"});
  report::write_reports(document, run_dir);
  write_cards(recipe, run_dir, document);
  write_file_atomic(run_dir / "timings.html", report::timings_page(document, timings));
  document.timings = timings;  // for the terminal alone: what was written has the same bytes every time
  return report::to_terminal(document, report::terminal_style(1));
}

}  // namespace sdft
