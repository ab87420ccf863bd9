// From the files of a run directory to the report's document. Reads nothing else but the evaluation's
// datasets, for the prompts and references of sample answers; no clock and no timing, so that a resumed run
// writes the same bytes.
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "eval/metrics.h"
#include "eval/statistics.h"
#include "report/report.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::map<std::string, std::string> read_answers(const fs::path& path, std::vector<std::string>* ids,
                                                size_t* too_long) {
  std::map<std::string, std::string> answers;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    const auto id = require<std::string>(json, "id", where);
    if (ids) {
      ids->push_back(id);
      *too_long += require<std::string>(json, "finish", where) == "prompt_too_long";
    }
    answers[id] = require<std::string>(json, "text", where);
  });
  return answers;
}

report::Interval interval(const Estimate& estimate) { return {estimate.low, estimate.high}; }

// One task: the scores of each model on each example, in the order of `ids`.
struct TaskData {
  std::vector<std::string> ids;
  size_t too_long = 0;  // prompts that the model's context could not hold: not cut, not answered
  std::vector<std::map<std::string, std::string>> answers;  // a model each
  std::vector<std::vector<double>> values;                  // a model each; empty: not judged
};

TaskData read_task_data(const fs::path& eval_dir, const std::vector<std::string>& models,
                        const TaskSettings& task) {
  TaskData data;
  for (const std::string& model : models) {
    const fs::path dir = eval_dir / model;
    data.answers.push_back(read_answers(dir / (task.name + ".jsonl"),
                                        data.answers.empty() ? &data.ids : nullptr, &data.too_long));
    const Json scores = read_json(dir / "scores.json");
    data.values.push_back(
        value_or<std::vector<double>>(scores, task.name, {}, (dir / "scores.json").string()));
  }
  return data;
}

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
void add_samples(const Recipe& recipe, const TaskSettings& settings, const TaskData& data,
                 const std::vector<std::string>& models, report::Task* task) {
  const Dataset set = open_dataset(recipe, settings.dataset, settings.columns, data.ids.size(), false);
  std::vector<size_t> order;
  auto differs = [&](size_t i) {
    for (const auto& values : data.values)
      if (!values.empty() && values[i] != data.values[0][i]) return true;
    return false;
  };
  for (bool wanted : {true, false})
    for (size_t i = 0; i < data.ids.size() && i < set.examples.size() && order.size() < 3; ++i)
      if (differs(i) == wanted) order.push_back(i);
  for (size_t i : order) {
    report::SampleAnswers sample{data.ids[i], set.examples[i].instruction, set.examples[i].response, {}};
    for (size_t m = 0; m < models.size(); ++m) {
      report::ModelAnswer answer{models[m], data.answers[m].at(data.ids[i]), std::nullopt};
      if (!data.values[m].empty()) answer.correct = data.values[m][i] > 0.5;
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
    const TaskData data = read_task_data(dir / "eval", models, settings);
    if (data.too_long > 0)
      warnings->push_back(
          fmt::format("{} of {} prompts of {} are longer than the model's context; they were not answered "
                      "and count as wrong "
                      "(\"prompt_too_long\" in eval/seed/{}.jsonl).",
                      data.too_long, data.ids.size(), settings.name, settings.name));
    if (!data.values[0].empty()) {
      report::Task task =
          make_task(settings.name, settings.kind, metric_of(settings.check), models, data.values, true);
      add_samples(recipe, settings, data, models, &task);
      evaluation.tasks.push_back(std::move(task));
    }
    // How far answers moved from the seed's: for safety, as the paper does, and where nothing else is judged.
    if (settings.kind != "safety" && settings.kind != "similarity") continue;
    std::vector<std::vector<double>> values;
    for (const auto& answers : data.answers) {
      values.emplace_back();
      for (const std::string& id : data.ids)
        values.back().push_back(
            answers.at(id) == data.answers[0].at(id) ? 1.0 : rouge_l(data.answers[0].at(id), answers.at(id)));
    }
    report::Task task = make_task(settings.name, "similarity", "ROUGE-L", models, values, false);
    if (data.values[0].empty()) add_samples(recipe, settings, data, models, &task);
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

report::Distillation read_distillation(const fs::path& dir, const Dataset& dataset) {
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
  const auto distilled = read_distilled(dir / "distilled.jsonl", dataset);
  // Three accepted and, where there are any, two of each reason.
  std::map<std::string, size_t> shown;
  for (size_t i = 0; i < distilled.size(); ++i) {
    const std::string outcome = distilled[i].accepted ? "accepted" : distilled[i].reason;
    if (shown[outcome]++ < (distilled[i].accepted ? 3u : 2u))
      d.samples.push_back({distilled[i].id, dataset.examples[i].instruction, distilled[i].original,
                           distilled[i].rewrite, outcome});
  }
  return d;
}

void add_provenance(const Recipe& recipe, const fs::path& dir, report::Document* document) {
  const fs::path path = dir / "provenance.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  report::Run& run = document->run;
  run.title = fs::path(recipe.dataset).stem().string() + " on " +
              fs::path(recipe.model_name_or_path).filename().string();
  run.version = require<std::string>(json, "sdft", where);
  run.seed = recipe.seed;
  run.method = "sdft";
  const Json& model = json.at("model");
  run.seed_model = {require<std::string>(model, "path", where),
                    require<std::string>(model, "architecture", where),
                    require<int64_t>(model, "parameters", where), ""};
  auto file = [&](const std::string& role, const Json& entry) {
    run.datasets.push_back({role, require<std::string>(entry, "path", where),
                            require<std::string>(entry, "sha256", where),
                            require<int64_t>(entry, "examples", where)});
  };
  file("train", json.at("dataset"));
  for (const Json& entry : json.at("eval")) file(require<std::string>(entry, "name", where), entry);
  run.versions = {{"libtorch", require<std::string>(json, "libtorch", where)},
                  {"device", require<std::string>(json, "device", where)}};
  run.recipe = read_text(dir / "recipe.yaml");
  Recipe copy = recipe;
  for (const Setting& setting : settings(copy)) {
    const std::string name = setting.name;
    if (name != "distill_template" && name != "answer_check" && name != "finetuning_type" &&
        name != "lora_rank" && name != "learning_rate" && name != "num_train_epochs" && name != "temperature")
      continue;
    std::visit(
        [&](auto* value) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(*value)>, std::vector<std::string>>)
            run.settings.push_back({name, fmt::format("{}", *value)});
        },
        setting.target);
  }
  if (!json.at("skipped").empty())
    document->warnings.push_back(fmt::format(
        "{} records of the dataset were skipped; provenance.json lists them.", json.at("skipped").size()));
  for (const char* variant : {"vanilla", "sdft"}) {
    const fs::path samples = dir / variant / "samples.json";
    if (!fs::exists(samples)) continue;
    const Json note = read_json(samples);
    const size_t cut = note.at("cut").size();
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
  const Dataset dataset =
      open_dataset(recipe, recipe.dataset, recipe.columns, static_cast<size_t>(recipe.max_samples), true);
  if (fs::exists(run_dir / "distill" / "DONE"))
    document.distillation = read_distillation(run_dir / "distill", dataset);
  std::vector<std::string> models;
  if (fs::exists(run_dir / "eval" / "seed" / "DONE")) models.push_back("seed");
  for (const char* variant : {"vanilla", "sdft"}) {
    if (fs::exists(run_dir / variant / "DONE"))
      document.training.push_back(read_curve(run_dir / variant / "metrics.jsonl", variant));
    if (fs::exists(run_dir / "eval" / variant / "DONE")) models.push_back(variant);
  }
  if (!models.empty() && !recipe.eval.empty())
    document.evaluation = read_evaluation(recipe, run_dir, models, &document.warnings);
  report::write_reports(document, run_dir);
  return report::to_terminal(document, report::terminal_style(1));
}

}  // namespace sdft
