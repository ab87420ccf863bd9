#include "run/evaluation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "check/check.h"
#include "eval/paired.h"
#include "report/measure.h"
#include "run/eval_files.h"
#include "run/eval_set.h"
#include "run/results.h"
#include "run/similarity_stage.h"
#include "run/stages.h"
#include "run/variants.h"

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

Dataset open_task(const Recipe& recipe, const TaskSettings& settings) {
  return settings.task.empty() ? open_dataset(recipe, settings.dataset, settings.columns,
                                              example_limit(recipe, settings), false)
                               : open_task_file(recipe, settings).dataset;
}

using ExamplesById = std::map<std::string, const Example*>;
ExamplesById examples_by_id(const Dataset& set) {
  ExamplesById examples;
  for (const Example& example : set.examples) examples.emplace(example.id, &example);
  return examples;
}

report::SampleAnswers sample_of(const Example& example, const TaskItem& item,
                                const std::vector<std::string>& models) {
  report::SampleAnswers sample{item.id, example.instruction, example.response, {}};
  for (const std::string& model : models) {
    const JudgedAnswer& judged = item.answers.at(model);
    report::ModelAnswer answer{model, judged.answer.text, std::nullopt};
    const bool told = judged.result &&
                      (judged.result->verdict == Verdict::kPass || judged.result->verdict == Verdict::kFail);
    if (told) answer.correct = judged.result->verdict == Verdict::kPass;
    sample.answers.push_back(std::move(answer));
  }
  return sample;
}

// A few examples on which the models differ, then others, three in all.
void add_samples(const Recipe& recipe, const TaskSettings& settings, const TaskResults& data,
                 const std::vector<std::string>& models, report::Task* task) {
  const Dataset set = open_task(recipe, settings);
  const ExamplesById examples = examples_by_id(set);
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
      task->samples.push_back(sample_of(*found->second, item, models));
    }
}

// What the mean of a task's scores is called.
std::string metric_of(const Recipe& recipe, const TaskSettings& settings) {
  if (settings.task.empty()) return parse_check(settings.check, kTaskCheck).check->metric;
  const Task task = find_tasks(settings.task, task_places(recipe)).front();
  return task.check.empty() ? task.metrics.front().name : parse_check(task.check, kTaskCheck).check->metric;
}

// That a guess is right: what a task file says, else one of the choices.
double chance_of(const Recipe& recipe, const fs::path& dir, const TaskSettings& settings) {
  const Task task = find_tasks(settings.task, task_places(recipe)).front();
  if (task.chance > 0 || task.output != OutputType::kMultipleChoice) return task.chance;
  double sum = 0, count = 0;
  for (const auto& [id, of] : read_likelihoods(eval_dir(dir, kSeed, settings.name) / "likelihoods.jsonl"))
    if (!of.log_likelihoods.empty()) sum += 1 / static_cast<double>(of.log_likelihoods.size()), count += 1;
  return count > 0 && sum < count ? sum / count : 0;
}

bool compares_answers(const std::string& kind) {
  return std::any_of(std::begin(report::kKinds), std::end(report::kKinds),
                     [&](const report::Kind& k) { return kind == k.name && k.compares_answers; });
}

// How alike the vectors of what the models say are, where it was measured (similarity_stage.h).
void add_embedding(const fs::path& dir, const TaskSettings& settings, const TaskResults& data,
                   const std::vector<std::string>& models, const std::set<std::string>& references,
                   report::MeasuredScores* scored, std::vector<report::Task>* tasks) {
  std::string embedder;
  std::vector<report::ModelScores> all;
  for (const std::string& model : models) {
    all.push_back({model, std::vector<double>(data.items.size(), model == kSeed ? 1.0 : report::kMissing)});
    if (model == kSeed) continue;
    auto similarity = read_similarity(dir, model, settings, data);
    if (!similarity) return;
    embedder = similarity->embedder;
    const std::map<std::string, EvalResult> results = by_id(std::move(similarity->results));
    for (size_t i = 0; i < data.items.size(); ++i)
      if (const auto found = results.find(data.items[i].id); found != results.end())
        all.back().scores[i] = found->second.score;
  }
  if (all.size() < 2) return;
  const std::string name = settings.name + (data.judged ? " answers" : "") + ", embedding";
  (*scored)[name] = all;
  tasks->push_back(report::measured_task(name, "similarity", "cosine by " + embedder, all, references));
}
}  // namespace

report::Evaluation read_evaluation(const Recipe& recipe, const fs::path& dir,
                                   const std::vector<std::string>& models) {
  report::Evaluation evaluation;
  evaluation.models = models;
  const bool seed = std::find(models.begin(), models.end(), kSeed) != models.end();
  const std::set<std::string> references = {kSeed, baseline_of(recipe)};
  const std::vector<const Check*> measures = checks_for(kBetweenModels);
  std::vector<std::vector<report::Task>> similarities(measures.size());  // of each measure
  std::vector<report::Task> embedded;
  report::MeasuredScores scored;
  for (const TaskSettings& settings : recipe.eval) {
    const TaskResults data = read_task_results(dir, models, settings);
    if (data.judged) {
      scored[settings.name] = judged_scores(data, models);
      report::Task task = report::measured_task(settings.name, settings.kind, metric_of(recipe, settings),
                                                scored[settings.name], references);
      task.chance =
          settings.chance > 0 || settings.task.empty() ? settings.chance : chance_of(recipe, dir, settings);
      add_incomplete(data, &task);
      if (seed) add_transitions(data, models, &task);
      add_samples(recipe, settings, data, models, &task);
      evaluation.tasks.push_back(std::move(task));
    }
    if (!seed || !settings.task.empty() || (data.judged && !compares_answers(settings.kind))) continue;
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
    add_embedding(dir, settings, data, models, references, &scored, &embedded);
  }
  for (std::vector<report::Task>& tasks : similarities)  // the first measure's first: means are of them
    for (report::Task& task : tasks) evaluation.tasks.push_back(std::move(task));
  for (report::Task& task : embedded) evaluation.tasks.push_back(std::move(task));
  report::add_tests(scored, baseline_of(recipe), &evaluation);
  return evaluation;
}

std::vector<report::ChangedExample> changed_examples(const Recipe& recipe, const fs::path& dir,
                                                     const std::vector<std::string>& models, size_t most,
                                                     size_t* all) {
  std::vector<report::ChangedExample> changed;
  *all = 0;
  if (models.empty() || models[0] != kSeed) return changed;
  for (const TaskSettings& settings : recipe.eval) {
    const TaskResults data = read_task_results(dir, models, settings);
    if (!data.judged) continue;
    std::optional<Dataset> set;  // opened where it is needed
    ExamplesById examples;
    for (const TaskItem& item : data.items) {
      const Verdict then = item.answers.at(kSeed).result->verdict;
      const bool differs = std::any_of(models.begin(), models.end(), [&](const std::string& model) {
        const Verdict now = item.answers.at(model).result->verdict;
        return (then == Verdict::kPass && now == Verdict::kFail) ||
               (then == Verdict::kFail && now == Verdict::kPass);
      });
      if (!differs || (*all)++ >= most) continue;
      if (!set) examples = examples_by_id(set.emplace(open_task(recipe, settings)));
      const auto found = examples.find(item.id);
      if (found != examples.end())
        changed.push_back({settings.name, sample_of(*found->second, item, models)});
    }
  }
  return changed;
}

}  // namespace sdft
