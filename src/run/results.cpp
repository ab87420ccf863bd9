#include "run/results.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "infer/answers.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::vector<double> read_scores(const fs::path& path, const std::vector<std::string>& ids) {
  std::vector<double> scores;
  std::error_code none;
  if (!fs::exists(path, none)) return scores;
  for_each_line(path, [&](std::string_view line, size_t number) {
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json json = parse_json(line, where);
    const auto id = require<std::string>(json, "id", where);
    if (scores.size() >= ids.size() || id != ids[scores.size()])
      fail_input(where, "is the score of '" + id + "', which is not the next of the answers");
    scores.push_back(require<double>(json, "score", where));
  });
  if (scores.size() != ids.size())
    fail_input(path.string(), fmt::format("has {} scores, expected {}", scores.size(), ids.size()));
  return scores;
}
}  // namespace

TaskResults read_task_results(const fs::path& run_dir, const std::vector<std::string>& models,
                              const TaskSettings& task) {
  TaskResults results;
  for (const std::string& model : models) {
    const fs::path dir = eval_dir(run_dir, model, task.name);
    std::vector<std::string> ids, texts;
    size_t too_long = 0;
    for (Answer& answer : read_answers(dir / "answers.jsonl")) {
      too_long += answer.finish == name_of(FinishReason::kPromptTooLong);
      ids.push_back(std::move(answer.id));
      texts.push_back(std::move(answer.text));
    }
    if (!results.answers.empty() && ids != results.ids)
      fail_input(dir.string(), "has answers to other examples than those of " + models[0],
                 "run the evaluation again: sdft eval --fresh");
    results.ids = std::move(ids);
    results.too_long = too_long;
    results.answers.push_back(std::move(texts));
    results.scores.push_back(read_scores(dir / "scores.jsonl", results.ids));
  }
  return results;
}

std::vector<std::string> evaluated_models(const Recipe& recipe, const fs::path& run_dir) {
  std::vector<std::string> models;
  for (const char* model : {"seed", "vanilla", "sdft"}) {
    auto answered = [&](const TaskSettings& task) { return stage_done(eval_dir(run_dir, model, task.name)); };
    if (!recipe.eval.empty() && std::all_of(recipe.eval.begin(), recipe.eval.end(), answered))
      models.emplace_back(model);
  }
  return models;
}

std::string results_table(const Recipe& recipe, const fs::path& run_dir,
                          const std::vector<std::string>& models) {
  std::string text = fmt::format("{:<24}", "right answers"), remarks;
  for (const std::string& model : models) text += fmt::format("{:>16}", model);
  text += "\n";
  for (const TaskSettings& task : recipe.eval) {
    const TaskResults results = read_task_results(run_dir, models, task);
    text += fmt::format("{:<24}", task.name);
    for (const auto& scores : results.scores)
      text += fmt::format(
          "{:>16}", scores.empty() ? "not judged"
                                   : fmt::format("{} / {}", std::count(scores.begin(), scores.end(), 1.0),
                                                 scores.size()));
    text += "\n";
    if (results.too_long > 0)
      remarks +=
          fmt::format("{}: {} of {} prompts are longer than the model's context: not answered, not right\n",
                      task.name, results.too_long, results.ids.size());
  }
  return text + remarks;
}

}  // namespace sdft
