#include "run/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "eval/statistics.h"
#include "run/endpoint_stage.h"
#include "run/stages.h"
#include "run/variants.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// An evaluation of an earlier version judged what was not answered as wrong.
EvalResult mended(const JudgedAnswer& judged, EvalResult result) {
  const std::string reason = judged.unanswered();
  return reason.empty() ? std::move(result) : unanswered(result.id, reason);
}

// Results by id; none where the task's check judges nothing.
std::map<std::string, EvalResult> read_results(const fs::path& path) {
  std::map<std::string, EvalResult> results;
  std::error_code none;
  if (!fs::exists(path, none)) return results;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    EvalResult result = result_from_json(parse_json(line, where), where);
    if (!results.emplace(result.id, result).second)
      fail_input(where, "is a second result of '" + result.id + "'");
  });
  return results;
}

// One model's part of the items, which the first model makes.
void add_model(const fs::path& dir, const std::string& model, bool first, TaskResults* task) {
  const std::vector<Answer> answers = read_answers(dir / "answers.jsonl");
  std::map<std::string, EvalResult> results = read_results(dir / "scores.jsonl");
  if (first) {
    for (const Answer& answer : answers) task->items.push_back({answer.id, {}});
    task->judged = !results.empty();
  }
  const bool same = answers.size() == task->items.size() &&
                    std::equal(answers.begin(), answers.end(), task->items.begin(),
                               [](const Answer& a, const TaskItem& item) { return a.id == item.id; });
  if (!same)
    fail_input(dir.string(), "has answers to other examples than those of the other models",
               "run the evaluation again: sdft eval --fresh");
  if (results.size() != (task->judged ? answers.size() : 0))
    fail_input((dir / "scores.jsonl").string(),
               fmt::format("has {} scores, expected {}", results.size(), task->judged ? answers.size() : 0));
  for (size_t i = 0; i < answers.size(); ++i) {
    JudgedAnswer& judged = task->items[i].answers[model];
    judged.answer = answers[i];
    if (!task->judged) continue;
    const auto found = results.find(answers[i].id);
    if (found == results.end())
      fail_input((dir / "scores.jsonl").string(), "has no score of '" + answers[i].id + "'");
    judged.result = mended(judged, found->second);
  }
}

}  // namespace

std::string JudgedAnswer::unanswered() const {
  if (answer.finish == name_of(FinishReason::kPromptTooLong)) return answer.finish;
  if (answer.finish == kFailed) return kEndpointFailed;
  return result && result->verdict == Verdict::kUnanswered ? result->reason : "";
}

bool JudgedAnswer::cut() const {
  return answer.finish == name_of(FinishReason::kLength) || answer.finish == name_of(FinishReason::kContext);
}

Failures read_failures(const fs::path& run_dir) {
  const fs::path path = run_dir / "failed.json";
  Failures failures;
  std::error_code none;
  if (!fs::exists(path, none)) return failures;
  const Json json = read_json(path);
  if (!json.is_object()) fail_input(path.string(), "expected an object, found " + describe(json));
  for (const auto& [variant, reason] : json.items())
    failures[variant] = require<std::string>(json, variant, path.string());
  return failures;
}

void write_failures(const fs::path& run_dir, const std::vector<std::string>& tried,
                    const Failures& failures) {
  Failures all = read_failures(run_dir);
  for (const std::string& variant : tried) all.erase(variant);
  all.insert(failures.begin(), failures.end());
  std::error_code none;
  if (all.empty())
    fs::remove(run_dir / "failed.json", none);
  else
    write_json(run_dir / "failed.json", all);
}

TaskResults read_task_results(const fs::path& run_dir, const std::vector<std::string>& models,
                              const TaskSettings& task) {
  TaskResults results;
  for (const std::string& model : models)
    add_model(eval_dir(run_dir, model, task.name), model, model == models.front(), &results);
  return results;
}

std::vector<std::string> evaluated_models(const Recipe& recipe, const fs::path& run_dir) {
  std::vector<std::string> names = {"seed"}, models;
  for (const Variant& variant : known_variants(recipe)) names.push_back(variant.name);
  for (const auto& [name, path] : named_adapters(recipe)) names.push_back(name);
  if (!recipe.endpoint.empty()) names.push_back(endpoint_name(recipe));
  for (const std::string& model : names) {
    auto answered = [&](const TaskSettings& task) { return stage_done(eval_dir(run_dir, model, task.name)); };
    if (!recipe.eval.empty() && std::all_of(recipe.eval.begin(), recipe.eval.end(), answered))
      models.push_back(model);
  }
  return models;
}

std::vector<report::Timing> read_timings(const fs::path& run_dir) {
  std::vector<report::Timing> timings;
  const fs::path path = run_dir / "timings.tsv";
  std::error_code none;
  if (!fs::exists(path, none)) return timings;
  for_each_line(path, [&](std::string_view line, size_t) {
    const size_t tab = line.rfind('\t');
    if (tab == line.npos) return;
    const std::string part(line.substr(0, tab));
    auto at = std::find_if(timings.begin(), timings.end(),
                           [&](const report::Timing& one) { return one.stage == part; });
    if (at == timings.end()) at = timings.insert(at, {part, 0});
    at->seconds += std::strtod(std::string(line.substr(tab)).c_str(), nullptr);
  });
  return timings;
}

}  // namespace sdft
