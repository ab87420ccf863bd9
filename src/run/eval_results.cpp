// results.json, the harness's form of it, the table, and two evaluations side by side.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/comma_separated.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/utf8.h"
#include "eval/statistics.h"
#include "report/format.h"
#include "report/measure.h"
#include "run/eval_set.h"
#include "run/evaluation.h"
#include "run/results.h"
#include "run/stages.h"
#include "run/variants.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// A metric of a task file over one model's items.
struct MetricTotal {
  std::string task, metric;  // "mmlu_anatomy", "acc_norm" or "exact_match,strict-match"
  bool higher_is_better = true;
  bool share = false;  // a mean of values from 0 to 1
  double value = report::kMissing, low = report::kMissing, high = report::kMissing,
         deviation = report::kMissing;
  size_t n = 0;
};

// A percentile interval over items drawn anew, for aggregations without a formula.
void add_interval(Aggregation aggregation, const std::vector<MetricValue>& values, MetricTotal* total) {
  constexpr int kDraws = 1000;
  if (values.size() < 2) return;
  Random random(0, "interval of " + total->metric);
  std::vector<double> drawn;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<MetricValue> sample;
    for (size_t i = 0; i < values.size(); ++i) sample.push_back(values[random.below(values.size())]);
    drawn.push_back(aggregate(aggregation, sample));
  }
  std::sort(drawn.begin(), drawn.end());
  total->low = drawn[kDraws * 25 / 1000];
  total->high = drawn[kDraws * 975 / 1000 - 1];
}

MetricTotal total_of(const Task& task, const std::string& name, const std::vector<MetricValue>& values) {
  MetricTotal total;
  total.task = task.name;
  total.metric = name;
  total.n = values.size();
  const std::string base = name.substr(0, name.find(','));
  const auto metric =
      std::find_if(task.metrics.begin(), task.metrics.end(), [&](const Metric& m) { return m.name == base; });
  const Aggregation aggregation = metric == task.metrics.end() ? Aggregation::kMean : metric->aggregation;
  if (metric != task.metrics.end()) total.higher_is_better = metric->higher_is_better;
  total.value = aggregate(aggregation, values);
  std::vector<double> scores;
  for (const MetricValue& v : values) scores.push_back(v.value);
  total.deviation = standard_deviation(scores);
  total.share = metric != task.metrics.end() && metric->share;
  if (total.share) {
    const Estimate estimate = mean_score(scores);
    total.low = estimate.low, total.high = estimate.high;
  } else {
    add_interval(aggregation, values, &total);
  }
  return total;
}

// Of tasks that a check judges: the mean of its scores.
std::vector<MetricTotal> check_totals(const std::vector<Task>& tasks, const fs::path& dir) {
  std::map<std::string, std::vector<double>> scores;  // by task
  std::error_code none;
  const fs::path path = dir / "scores.jsonl";
  if (fs::exists(path, none))
    for_each_line(path, [&](std::string_view text, size_t number) {
      const EvalResult result =
          result_from_json(parse_json(text, path.string()), path.string() + ":" + std::to_string(number));
      if (result.verdict != Verdict::kUnanswered)
        scores[result.id.substr(0, result.id.rfind('/'))].push_back(result.score);
    });
  std::vector<MetricTotal> totals;
  for (const Task& task : tasks) {
    const std::vector<double>& of = scores[task.name];
    if (task.check.empty() || of.empty()) continue;
    const Estimate estimate = mean_score(of);
    totals.push_back({task.name, parse_check(task.check, kTaskCheck).check->metric, true, true,
                      estimate.value, estimate.low, estimate.high, standard_deviation(of), of.size()});
  }
  return totals;
}

// Of each task of the file or group, each metric of items.jsonl in its order; none where a check judges.
std::vector<MetricTotal> metric_totals(const std::vector<Task>& tasks, const fs::path& dir) {
  std::vector<MetricTotal> totals;
  std::error_code none;
  const fs::path path = dir / "items.jsonl";
  if (!fs::exists(path, none)) return check_totals(tasks, dir);
  std::map<std::string, std::vector<std::pair<std::string, std::vector<MetricValue>>>> values;  // by task
  for_each_line(path, [&](std::string_view text, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json line = parse_json(text, where);
    const auto id = require<std::string>(line, "id", where);
    if (!line.contains("metrics")) return;
    auto& of_task = values[id.substr(0, id.rfind('/'))];
    for (const auto& [name, value] : line["metrics"].items()) {
      auto found = std::find_if(of_task.begin(), of_task.end(),
                                [&, &key = name](const auto& one) { return one.first == key; });
      if (found == of_task.end()) found = of_task.insert(of_task.end(), {name, {}});
      const double weight = line.contains("weights") ? line["weights"].value(name, 1.0) : 1.0;
      found->second.push_back({require<double>(line["metrics"], name, where), weight});
    }
  });
  for (const Task& task : tasks)
    for (const auto& [name, of] : values[task.name]) totals.push_back(total_of(task, name, of));
  return totals;
}

Json number(double value) { return std::isnan(value) ? Json() : Json(value); }

Json json_of(const report::Task& task) {
  Json json = {{"name", task.name}, {"kind", task.kind}, {"metric", task.metric}};
  json["scores"] = Json::array();
  Json differences = Json::array();
  for (const report::Score& score : task.scores) {
    Json one = {{"model", score.model},
                {"value", number(score.value)},
                {"low", number(score.interval.low)},
                {"high", number(score.interval.high)},
                {"n", score.n}};
    for (const report::Count& count : score.unanswered) one["unanswered"][count.reason] = count.count;
    if (score.cut > 0) one["cut"] = score.cut;
    json["scores"].push_back(std::move(one));
    for (const report::Difference& d : score.differences)
      differences.push_back({{"model", score.model},
                             {"against", d.against},
                             {"value", number(d.value)},
                             {"low", number(d.interval.low)},
                             {"high", number(d.interval.high)},
                             {"n", d.n},
                             {"p_value", number(d.p_value)},
                             {"p_adjusted", number(d.p_adjusted)},
                             {"detectable", number(d.detectable)}});
  }
  if (!differences.empty()) json["differences"] = std::move(differences);
  return json;
}

// A task file's metrics by model.
using Totals = std::map<std::string, std::vector<MetricTotal>>;

void add_metrics(const Totals& totals, Json* task) {
  for (const auto& [model, all] : totals)
    for (const MetricTotal& t : all)
      (*task)["metrics"].push_back({{"model", model},
                                    {"task", t.task},
                                    {"metric", t.metric},
                                    {"value", number(t.value)},
                                    {"low", number(t.low)},
                                    {"high", number(t.high)},
                                    {"n", t.n}});
}

// One model's part of the harness's results file.
void add_to_harness(const TaskSettings& settings, const std::vector<Task>& tasks,
                    const std::vector<MetricTotal>& totals, Json* json) {
  for (const Task& task : tasks) {
    Json result = {{"alias", task.alias}};
    for (const MetricTotal& t : totals) {
      if (t.task != task.name) continue;
      const std::string base = t.metric.substr(0, t.metric.find(',')),
                        filter = t.metric == base ? "none" : t.metric.substr(base.size() + 1);
      result[base + "," + filter] = number(t.value);
      result[base + "_stderr," + filter] =
          t.share && t.n > 1 ? Json(t.deviation / std::sqrt(static_cast<double>(t.n))) : Json("N/A");
      (*json)["higher_is_better"][task.name][base] = t.higher_is_better;
      (*json)["n-samples"][task.name]["effective"] = t.n;
    }
    (*json)["results"][task.name] = std::move(result);
    (*json)["n-shot"][task.name] = settings.num_fewshot >= 0 ? settings.num_fewshot : task.num_fewshot;
    (*json)["versions"][task.name] = task.version;
  }
}

// --- The table ---

std::string shown(double value, bool share) {
  if (std::isnan(value)) return "";
  return share ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.4g}", value);
}
std::string between(double low, double high, bool share) {
  return std::isnan(low) || std::isnan(high) ? "" : "[" + shown(low, share) + ", " + shown(high, share) + "]";
}

// Lines of cells, each column as wide as its widest cell; texts to the left, numbers to the right.
struct Table {
  std::vector<std::vector<std::string>> rows = {
      {"task", "model", "metric", "n", "value", "95 %", "change", "95 %", "p"}};

  std::string text() const {
    constexpr size_t kTexts[] = {0, 1, 2, 5, 7};
    std::vector<size_t> widths(rows[0].size(), 0);
    for (const auto& row : rows)
      for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], utf8_count(row[c]));
    std::string all;
    for (const auto& row : rows) {
      std::string line;
      for (size_t c = 0; c < row.size(); ++c) {
        const std::string space(widths[c] - utf8_count(row[c]), ' ');
        const bool left = std::find(std::begin(kTexts), std::end(kTexts), c) != std::end(kTexts);
        line += (c > 0 ? "  " : "") + (left ? row[c] + space : space + row[c]);
      }
      all += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return all;
  }
};

void add_rows(const report::Task& task, Table* table, std::vector<std::string>* notes) {
  for (const report::Score& score : task.scores) {
    const report::Difference* d = score.differences.empty() ? nullptr : &score.differences.front();
    table->rows.push_back(
        {&score == &task.scores.front() ? task.name : "", score.model, task.metric, std::to_string(score.n),
         shown(score.value, true), between(score.interval.low, score.interval.high, true),
         d ? report::points(d->value) : "", d ? between(d->interval.low, d->interval.high, true) : "",
         d && !std::isnan(d->p_adjusted) ? fmt::format("{:.3f}", d->p_adjusted) : ""});
    if (d && !std::isnan(d->detectable) && !(d->p_adjusted < 0.05))
      notes->push_back(fmt::format("{}, {}: a change of less than {} points could well have been missed",
                                   task.name, score.model, shown(d->detectable, true)));
    for (const report::Count& count : score.unanswered)
      notes->push_back(fmt::format("{}, {}: {} unanswered ({}), in no score", task.name, score.model,
                                   count.count, count.reason));
    if (score.cut > 0)
      notes->push_back(
          fmt::format("{}, {}: {} answers were cut at their limit", task.name, score.model, score.cut));
  }
}

// Further metrics of a task file, or all where none is a share of right answers.
void add_rows(const std::string& name, const Totals& totals, bool judged, Table* table) {
  std::string shown_name = judged ? "" : name;
  for (const auto& [model, all] : totals)
    for (size_t i = 0; i < all.size(); ++i) {
      const MetricTotal& t = all[i];
      const bool group = all.back().task != t.task || all.front().task != t.task;
      if (judged && !group && i == 0) continue;  // in the row above
      table->rows.push_back({group ? "  " + t.task : shown_name, model, t.metric, std::to_string(t.n),
                             shown(t.value, t.share), between(t.low, t.high, t.share), "", "", ""});
      shown_name.clear();
    }
}

std::string with_notes(std::string text, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) text += "  " + note + "\n";
  return text;
}

const report::Task* find_task(const report::Evaluation& evaluation, const std::string& name) {
  for (const report::Task& task : evaluation.tasks)
    if (task.name == name) return &task;
  return nullptr;
}
}  // namespace

std::string write_results(const Recipe& recipe, const fs::path& dir, const std::vector<std::string>& models) {
  const report::Evaluation evaluation = read_evaluation(recipe, dir, models);
  Json json = {{"sdft", SDFT_VERSION},
               {"model", recipe.endpoint.empty() ? recipe.model_name_or_path : recipe.endpoint_model},
               {"models", models},
               {"tasks", Json::array()}};
  std::map<std::string, Json> harness;  // by model
  Table table;
  std::vector<std::string> notes;
  for (const TaskSettings& settings : recipe.eval) {
    const report::Task* task = find_task(evaluation, settings.name);
    if (task && task->kind == "similarity") task = nullptr;  // nothing judges it; its rows come below
    if (!task && settings.task.empty()) continue;
    Json one = task ? json_of(*task) : Json{{"name", settings.name}, {"kind", settings.kind}};
    if (task) add_rows(*task, &table, &notes);
    if (!settings.task.empty()) {
      const std::vector<Task> tasks = find_tasks(settings.task, task_places(recipe));
      Totals totals;
      for (const std::string& model : models) {
        totals[model] = metric_totals(tasks, eval_dir(dir, model, settings.name));
        add_to_harness(settings, tasks, totals[model], &harness[model]);
      }
      add_metrics(totals, &one);
      add_rows(settings.name, totals, task != nullptr, &table);
    }
    json["tasks"].push_back(std::move(one));
  }
  for (const report::Task& task : evaluation.tasks) {  // similarities
    if (task.kind != "similarity") continue;
    json["tasks"].push_back(json_of(task));
    add_rows(task, &table, &notes);
  }
  write_json(dir / "results.json", json);
  for (auto& [model, results] : harness) {
    results["config"] = {{"model", "sdft.cpp"},
                         {"model_args", "pretrained=" + recipe.model_name_or_path + ",variant=" + model}};
    make_directories(dir / "lm_eval");
    write_json(dir / "lm_eval" / (model + ".json"), results);
  }
  return with_notes(table.text(), notes);
}

namespace {
// "DIR" or "DIR:MODEL".
struct Side {
  Recipe recipe;
  fs::path dir;
  std::string model;
};

Side side_of(const std::string& text) {
  Side side;
  std::error_code none;
  side.dir = text;
  if (const size_t colon = text.rfind(':'); colon != std::string::npos && !fs::exists(text, none)) {
    side.dir = text.substr(0, colon);
    side.model = text.substr(colon + 1);
  }
  if (!fs::exists(side.dir / "recipe.yaml", none))
    fail_input(side.dir.string(), "is no run directory: recipe.yaml is missing",
               "sdft eval --output_dir makes one");
  side.recipe = read_recipe(side.dir / "recipe.yaml", {"output_dir=" + side.dir.string()});
  const std::vector<std::string> models = evaluated_models(side.recipe, side.dir);
  if (models.empty()) fail_input(side.dir.string(), "has no finished evaluation");
  if (side.model.empty()) {
    if (models.size() > 2)
      fail_usage(side.dir.string() + " has several models: " + joined(models),
                 "name one, as in " + side.dir.string() + ":" + models.back());
    side.model = models.back();
  } else if (std::find(models.begin(), models.end(), side.model) == models.end()) {
    fail_usage(side.dir.string() + " has no finished evaluation of '" + side.model + "'",
               "it has " + joined(models));
  }
  return side;
}

// What a model was asked of a task, as its folder says.
std::string questions_of(const Side& side, const std::string& task) {
  const Json made = read_json(eval_dir(side.dir, side.model, task) / "made_from.json");
  for (const char* key : {"the task's questions", "the task's examples"})
    if (made.contains(key) && made[key].is_string()) return made[key];
  return "";
}
}  // namespace

std::string compare_evaluations(const std::string& before, const std::string& after) {
  const Side a = side_of(before), b = side_of(after);
  report::Evaluation evaluation;
  report::MeasuredScores scored;
  evaluation.models = {before, after};
  std::vector<std::string> notes;
  for (const TaskSettings& task : a.recipe.eval) {
    const auto other = std::find_if(b.recipe.eval.begin(), b.recipe.eval.end(),
                                    [&](const TaskSettings& t) { return t.name == task.name; });
    if (other == b.recipe.eval.end()) continue;
    if (questions_of(a, task.name) != questions_of(b, task.name)) {
      notes.push_back(task.name +
                      ": the two were asked different questions; not compared (the same data, --limit and "
                      "--num_fewshot make them the same)");
      continue;
    }
    const TaskResults first = read_task_results(a.dir, {a.model}, task),
                      second = read_task_results(b.dir, {b.model}, *other);
    if (!first.judged || !second.judged) continue;
    std::vector<report::ModelScores> both = {{before, {}}, {after, {}}};
    for (size_t i = 0; i < first.items.size(); ++i) {  // the same questions: the same items in the same order
      both[0].scores.push_back(first.items[i].answers.at(a.model).result->score);
      both[1].scores.push_back(second.items[i].answers.at(b.model).result->score);
    }
    scored[task.name] = both;
    evaluation.tasks.push_back(report::measured_task(task.name, task.kind, "score", both, {before}));
  }
  if (evaluation.tasks.empty()) fail_usage("the two have no judged task with the same examples in common");
  report::add_tests(scored, "", &evaluation);
  Table table;
  for (const report::Task& task : evaluation.tasks) add_rows(task, &table, &notes);
  return with_notes(table.text(), notes);
}

}  // namespace sdft
