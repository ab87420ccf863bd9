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
#include "eval/paired.h"
#include "report/measure.h"
#include "report/report.h"
#include "run/eval_set.h"
#include "run/report_training.h"
#include "run/results.h"
#include "run/stages.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kSeed = "seed";  // the name of the model before tuning, in reports too

// How many prompts each model did not answer, and how many answers were cut.
void add_incomplete(const TaskResults& data, report::Task* task) {
  for (report::Score& score : task->scores) {
    std::map<std::string, int64_t> reasons;
    for (const TaskItem& item : data.items) {
      const JudgedAnswer& judged = item.answers.at(score.model);
      const std::string reason = judged.unanswered();
      if (!reason.empty())
        ++reasons[reason];
      else
        score.cut += judged.cut();
    }
    for (const auto& [reason, count] : reasons) score.unanswered.push_back({reason, count});
  }
}

// What each model forgot and gained, where answers are right or wrong: of those that both answered.
void add_transitions(const TaskResults& data, const std::vector<std::string>& models, report::Task* task) {
  constexpr size_t kNamed = 20;
  for (const std::string& model : models) {
    if (model == kSeed) continue;
    report::Transition t;
    t.model = model;
    std::vector<bool> before, after;
    for (const TaskItem& item : data.items) {
      const Verdict then = item.answers.at(kSeed).result->verdict,
                    now = item.answers.at(model).result->verdict;
      if (then == Verdict::kGraded || now == Verdict::kGraded) return;
      if (then == Verdict::kUnanswered || now == Verdict::kUnanswered) continue;
      before.push_back(then == Verdict::kPass);
      after.push_back(now == Verdict::kPass);
      if (then == now) continue;
      std::vector<std::string>& ids = before.back() ? t.forgotten_ids : t.gained_ids;
      if (ids.size() < kNamed) ids.push_back(item.id);
    }
    const Transitions counts = transitions(before, after, task->chance);
    const auto n = static_cast<double>(counts.examples);
    t.n = static_cast<int64_t>(counts.examples);
    t.forgotten = static_cast<int64_t>(counts.forgotten);
    t.gained = static_cast<int64_t>(counts.gained);
    t.forgotten_corrected = n * counts.adjusted_forgotten;
    t.gained_corrected = n * counts.adjusted_gained;
    t.p_value = counts.p_value;
    task->transitions.push_back(std::move(t));
  }
}

std::vector<report::ModelScores> judged_scores(const TaskResults& data,
                                               const std::vector<std::string>& models) {
  std::vector<report::ModelScores> all;
  for (const std::string& model : models) {
    all.push_back({model, {}});
    for (const TaskItem& item : data.items) all.back().scores.push_back(item.answers.at(model).result->score);
  }
  return all;
}

// How far the answers moved from the seed's, where both answered.
std::vector<report::ModelScores> similarity_scores(const ChosenCheck& similarity, const TaskResults& data,
                                                   const std::vector<std::string>& models) {
  std::vector<report::ModelScores> all;
  for (const std::string& model : models) {
    std::vector<CheckItem> items;
    for (const TaskItem& item : data.items) {
      const JudgedAnswer &seed = item.answers.at(kSeed), &own = item.answers.at(model);
      if (!seed.unanswered().empty() || !own.unanswered().empty()) continue;
      CheckItem pair;
      pair.id = item.id;
      pair.reference = seed.answer.text;
      pair.text = pair.answer = own.answer.text;
      items.push_back(pair);
    }
    const std::map<std::string, EvalResult> results = by_id(judge(similarity, items));
    all.push_back({model, {}});
    for (const TaskItem& item : data.items) {
      const auto found = results.find(item.id);
      all.back().scores.push_back(found == results.end() ? report::kMissing : found->second.score);
    }
  }
  return all;
}

// A few examples on which the models differ, then others, three in all.
void add_samples(const Recipe& recipe, const TaskSettings& settings, const TaskResults& data,
                 const std::vector<std::string>& models, report::Task* task) {
  const Dataset set = settings.task.empty() ? open_dataset(recipe, settings.dataset, settings.columns,
                                                           example_limit(recipe, settings), false)
                                            : open_task_file(recipe, settings).dataset;
  std::map<std::string, const Example*> examples;
  for (const Example& example : set.examples) examples.emplace(example.id, &example);
  auto differs = [&](const TaskItem& item) {
    if (!data.judged) return false;
    const EvalResult& first = *item.answers.at(models[0]).result;
    return std::any_of(models.begin(), models.end(), [&](const std::string& model) {
      const EvalResult& other = *item.answers.at(model).result;
      return other.verdict != first.verdict ||
             (other.verdict == Verdict::kGraded && other.score != first.score);
    });
  };
  for (bool wanted : {true, false})
    for (const TaskItem& item : data.items) {
      const auto found = examples.find(item.id);
      if (task->samples.size() == 3 || found == examples.end() || differs(item) != wanted) continue;
      report::SampleAnswers sample{item.id, found->second->instruction, found->second->response, {}};
      for (const std::string& model : models) {
        const JudgedAnswer& judged = item.answers.at(model);
        report::ModelAnswer answer{model, judged.answer.text, std::nullopt};
        const bool told = judged.result && (judged.result->verdict == Verdict::kPass ||
                                            judged.result->verdict == Verdict::kFail);
        if (told) answer.correct = judged.result->verdict == Verdict::kPass;
        sample.answers.push_back(std::move(answer));
      }
      task->samples.push_back(std::move(sample));
    }
}

// What the mean of a task's scores is called.
std::string metric_of(const Recipe& recipe, const TaskSettings& settings) {
  if (settings.task.empty()) return parse_check(settings.check, kTaskCheck).check->metric;
  const Task task = find_tasks(settings.task, task_places(recipe)).front();
  return task.check.empty() ? task.metrics.front().name : parse_check(task.check, kTaskCheck).check->metric;
}

bool compares_answers(const std::string& kind) {
  return std::any_of(std::begin(report::kKinds), std::end(report::kKinds),
                     [&](const report::Kind& k) { return kind == k.name && k.compares_answers; });
}

report::Evaluation read_evaluation(const Recipe& recipe, const fs::path& dir,
                                   const std::vector<std::string>& models) {
  report::Evaluation evaluation;
  evaluation.models = models;
  const bool seed = std::find(models.begin(), models.end(), kSeed) != models.end();
  const std::set<std::string> references = {kSeed, baseline_of(recipe)};
  const std::vector<const Check*> measures = checks_for(kBetweenModels);
  std::vector<std::vector<report::Task>> similarities(measures.size());  // of each measure
  report::MeasuredScores scored;
  for (const TaskSettings& settings : recipe.eval) {
    const TaskResults data = read_task_results(dir, models, settings);
    if (data.judged) {
      scored[settings.name] = judged_scores(data, models);
      report::Task task = report::measured_task(settings.name, settings.kind, metric_of(recipe, settings),
                                                scored[settings.name], references);
      task.chance = settings.chance;
      add_incomplete(data, &task);
      if (seed) add_transitions(data, models, &task);
      add_samples(recipe, settings, data, models, &task);
      evaluation.tasks.push_back(std::move(task));
    }
    if (!seed || (data.judged && !compares_answers(settings.kind))) continue;
    for (size_t i = 0; i < measures.size(); ++i) {
      const std::string name = settings.name + (data.judged ? " answers" : "") +
                               (i == 0 ? "" : std::string(", ") + measures[i]->name);
      scored[name] = similarity_scores({measures[i], {}}, data, models);
      report::Task task =
          report::measured_task(name, "similarity", measures[i]->metric, scored[name], references);
      if (i == 0 && !data.judged) {
        add_incomplete(data, &task);
        add_samples(recipe, settings, data, models, &task);
      }
      similarities[i].push_back(std::move(task));
    }
  }
  for (std::vector<report::Task>& tasks : similarities)  // the first measure's first: means are of them
    for (report::Task& task : tasks) evaluation.tasks.push_back(std::move(task));
  report::add_tests(scored, baseline_of(recipe), &evaluation);
  return evaluation;
}

// The lines of distilled.jsonl: a few rewrites to show (three accepted and, where there are any, two of each
// reason), and how likely the seed finds each accepted one and its original.
void add_examples(const fs::path& path, report::Distillation* d) {
  std::map<std::string, size_t> shown;
  std::vector<double> originals, rewrites;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    auto text = [&](const char* key) { return require<std::string>(json, key, where); };
    const bool accepted = require<bool>(json, "accepted", where);
    const std::string outcome = accepted ? "accepted" : text("reason");
    if (shown[outcome]++ < (accepted ? 3u : 2u))
      d->samples.push_back({text("id"), value_or<std::string>(json, "instruction", "", where),
                            text("original"), text("rewrite"), outcome,
                            value_or<std::string>(json, "matched", "", where)});
    const auto logprob = [&](const char* key) {
      return value_or<double>(json, key, report::kMissing, where);
    };
    const double original = logprob("logprob_original"), rewrite = logprob("logprob_rewrite");
    if (!accepted || std::isnan(original) || std::isnan(rewrite)) return;
    originals.push_back(original);
    rewrites.push_back(rewrite);
  });
  d->logprobs = report::make_histogram(originals, rewrites);
}

report::Distillation read_distillation(const fs::path& dir) {
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
    if (reason != kPromptTooLong) d.rejected.push_back({reason, static_cast<int64_t>(count)});
  d.too_long = s.too_long;
  d.length_ratio = s.length_ratio;
  d.logprob_original = s.logprob_original;
  d.logprob_rewrite = s.logprob_rewrite;
  add_examples(dir / "distilled.jsonl", &d);
  return d;
}

// Each set of rewrites once, in the order of the variants that learn it.
std::vector<report::Distillation> read_distillations(const Recipe& recipe, const fs::path& run_dir) {
  std::vector<report::Distillation> all;
  for (const Variant& variant : known_variants(recipe)) {
    if (!find_method(variant.method).rewrites) continue;
    const fs::path dir = run_dir / distill_folder(recipe, variant);
    if (!stage_done(dir)) continue;
    auto found = std::find_if(all.begin(), all.end(), [&](const report::Distillation& d) {
      return d.name == dir.filename().string();
    });
    if (found == all.end()) found = all.insert(all.end(), read_distillation(dir));
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
}  // namespace

std::string report_stage(const Recipe& recipe, const fs::path& run_dir) {
  report::Document document;
  document.baseline = baseline_of(recipe);
  add_provenance(recipe, run_dir, &document);
  document.distillations = read_distillations(recipe, run_dir);
  add_trainings(recipe, run_dir, &document);
  const std::vector<std::string> models = evaluated_models(recipe, run_dir);
  if (!models.empty()) document.evaluation = read_evaluation(recipe, run_dir, models);
  report::write_reports(document, run_dir);
  return report::to_terminal(document, report::terminal_style(1));
}

}  // namespace sdft
