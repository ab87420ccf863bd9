// From the files of a run directory to the report's document. Reads nothing else but the evaluation's
// datasets, for the prompts and references of sample answers; no clock and no timing, so that a resumed run
// writes the same bytes.
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "eval/metrics.h"
#include "eval/statistics.h"
#include "report/report.h"
#include "run/results.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
report::Interval interval(const Estimate& estimate) { return {estimate.low, estimate.high}; }

report::Score score_of(const std::string& model, const std::vector<double>& values, bool rate) {
  report::Score score;
  score.model = model;
  score.n = static_cast<int64_t>(values.size());
  uint64_t successes = 0;
  for (double value : values) successes += value > 0.5;
  const Estimate estimate = rate ? wilson_interval(successes, values.size()) : bootstrap_mean(values);
  score.value = estimate.value;
  score.interval = interval(estimate);
  return score;
}

report::Task make_task(const std::string& name, const std::string& kind, const std::string& metric,
                       const std::vector<std::string>& models, const std::vector<std::vector<double>>& values,
                       bool rate) {
  report::Task task{name, kind, metric, {}, {}};
  for (size_t m = 0; m < models.size(); ++m) {
    report::Score score = score_of(models[m], values[m], rate);
    for (size_t other = 0; other < m; ++other) {
      const Estimate difference = bootstrap_difference(values[other], values[m]);
      score.differences.push_back({models[other], difference.value, interval(difference)});
    }
    task.scores.push_back(std::move(score));
  }
  return task;
}

std::string metric_of(const std::string& check) {
  if (check == "program") return "pass@1";
  if (check == "refusal") return "safe answers";
  return "accuracy";
}

// A few examples on which the models differ, then others, three in all.
void add_samples(const Recipe& recipe, const TaskSettings& settings, const TaskResults& data,
                 const std::vector<std::string>& models, report::Task* task) {
  const Dataset set = open_dataset(recipe, settings.dataset, settings.columns, data.ids.size(), false);
  std::vector<size_t> order;
  auto differs = [&](size_t i) {
    for (const auto& scores : data.scores)
      if (!scores.empty() && scores[i] != data.scores[0][i]) return true;
    return false;
  };
  for (bool wanted : {true, false})
    for (size_t i = 0; i < data.ids.size() && i < set.examples.size() && order.size() < 3; ++i)
      if (differs(i) == wanted) order.push_back(i);
  for (size_t i : order) {
    report::SampleAnswers sample{data.ids[i], set.examples[i].instruction, set.examples[i].response, {}};
    for (size_t m = 0; m < models.size(); ++m) {
      report::ModelAnswer answer{models[m], data.answers[m][i], std::nullopt};
      if (data.judged()) answer.correct = data.scores[m][i] > 0.5;
      sample.answers.push_back(std::move(answer));
    }
    task->samples.push_back(std::move(sample));
  }
}

report::Evaluation read_evaluation(const Recipe& recipe, const fs::path& dir,
                                   const std::vector<std::string>& models,
                                   std::vector<std::string>* warnings) {
  report::Evaluation evaluation;
  evaluation.models = models;
  std::vector<report::Task> similarities;
  for (const TaskSettings& settings : recipe.eval) {
    const TaskResults data = read_task_results(dir, models, settings);
    if (data.too_long > 0)
      warnings->push_back(
          fmt::format("{} of {} prompts of {} are longer than the model's context; they were not answered "
                      "and count as wrong "
                      "(\"prompt_too_long\" in eval/seed/{}/answers.jsonl).",
                      data.too_long, data.ids.size(), settings.name, settings.name));
    if (data.judged()) {
      report::Task task =
          make_task(settings.name, settings.kind, metric_of(settings.check), models, data.scores, true);
      add_samples(recipe, settings, data, models, &task);
      evaluation.tasks.push_back(std::move(task));
    }
    // How far answers moved from the seed's: for safety, as the paper does, and where nothing is judged.
    if (settings.kind != "safety" && data.judged()) continue;
    std::vector<std::vector<double>> values;
    for (const auto& answers : data.answers) {
      values.emplace_back();
      for (size_t i = 0; i < answers.size(); ++i)
        values.back().push_back(answers[i] == data.answers[0][i] ? 1.0
                                                                 : rouge_l(data.answers[0][i], answers[i]));
    }
    report::Task task = make_task(settings.name, "similarity", "ROUGE-L", models, values, false);
    if (!data.judged()) add_samples(recipe, settings, data, models, &task);
    similarities.push_back(std::move(task));
  }
  for (report::Task& task : similarities) {
    for (const report::Task& other : evaluation.tasks)
      if (other.name == task.name) task.name += " answers";
    evaluation.tasks.push_back(std::move(task));
  }
  return evaluation;
}

report::Curve read_curve(const fs::path& path, const std::string& variant) {
  report::Curve curve;
  curve.variant = variant;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    curve.step.push_back(require<int64_t>(json, "step", where));
    curve.loss.push_back(require<double>(json, "loss", where));
    curve.learning_rate.push_back(require<double>(json, "learning_rate", where));
    curve.grad_norm.push_back(require<double>(json, "grad_norm", where));
  });
  return curve;
}

report::Distillation read_distillation(const fs::path& dir) {
  const fs::path path = dir / "summary.json";
  const DistillSummary s = summary_from_json(read_json(path), path.string());
  report::Distillation d;
  d.examples = static_cast<int64_t>(s.examples);
  d.accepted = static_cast<int64_t>(s.accepted);
  d.accepted_at.assign(s.accepted_at.begin(), s.accepted_at.end());
  d.unchanged = static_cast<int64_t>(s.unchanged);
  for (const auto& [reason, count] : s.rejected)
    if (reason != "prompt_too_long") d.rejected.push_back({reason, static_cast<int64_t>(count)});
  d.too_long = s.too_long;
  if (s.accepted > 0) {
    d.length_ratio = s.length_ratio;
    d.logprob_original = s.logprob_original;
    d.logprob_rewrite = s.logprob_rewrite;
  }
  d.distilled_fraction = s.distilled_fraction;
  // Three accepted and, where there are any, two of each reason.
  std::map<std::string, size_t> shown;
  const fs::path lines = dir / "distilled.jsonl";
  for_each_line(lines, [&](std::string_view line, size_t number) {
    const std::string where = lines.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    auto text = [&](const char* key) { return require<std::string>(json, key, where); };
    const bool accepted = require<bool>(json, "accepted", where);
    const std::string outcome = accepted ? "accepted" : text("reason");
    if (shown[outcome]++ < (accepted ? 3u : 2u))
      d.samples.push_back({text("id"), value_or<std::string>(json, "instruction", "", where),
                           text("original"), text("rewrite"), outcome});
  });
  return d;
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
  run.method = "sdft";
  const auto model = require<Json>(json, "model", where);
  run.seed_model = {require<std::string>(model, "path", where),
                    require<std::string>(model, "architecture", where),
                    require<int64_t>(model, "parameters", where), ""};
  auto file = [&](const std::string& role, const Json& entry) {
    run.datasets.push_back({role, require<std::string>(entry, "path", where),
                            require<std::string>(entry, "sha256", where),
                            require<int64_t>(entry, "examples", where)});
  };
  if (json.contains("dataset")) file("train", json["dataset"]);
  for (const Json& entry : value_or<Json>(json, "eval", Json::array(), where))
    file(require<std::string>(entry, "name", where), entry);
  run.versions = {{"libtorch", require<std::string>(json, "libtorch", where)},
                  {"device", require<std::string>(json, "device", where)}};
  run.recipe = read_text(dir / "recipe.yaml");
  Recipe copy = recipe;
  for (const Setting& setting : settings(copy)) {
    const std::string name = setting.name;
    if (name != "distill_template" && name != "answer_check" && name != "finetuning_type" &&
        name != "lora_rank" && name != "learning_rate" && name != "num_train_epochs" && name != "temperature")
      continue;
    run.settings.push_back({name, value_text(setting)});
  }
  const size_t skipped = value_or<Json>(json, "skipped", Json::array(), where).size();
  if (skipped > 0)
    document->warnings.push_back(
        fmt::format("{} records of the dataset were skipped; provenance.json lists them.", skipped));
  for (const char* variant : {"vanilla", "sdft"}) {
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
  add_provenance(recipe, run_dir, &document);
  if (stage_done(run_dir / "distill")) document.distillation = read_distillation(run_dir / "distill");
  for (const char* variant : {"vanilla", "sdft"})
    if (stage_done(run_dir / variant))
      document.training.push_back(read_curve(run_dir / variant / "metrics.jsonl", variant));
  const std::vector<std::string> models = evaluated_models(recipe, run_dir);
  if (!models.empty()) document.evaluation = read_evaluation(recipe, run_dir, models, &document.warnings);
  report::write_reports(document, run_dir);
  return report::to_terminal(document, report::terminal_style(1));
}

}  // namespace sdft
