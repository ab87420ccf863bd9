#include <optional>

#include "base/file.h"
#include "base/progress.h"
#include "check/check.h"
#include "data/thinking.h"
#include "data/turn_end.h"
#include "infer/answers.h"
#include "run/stages.h"

namespace sdft {
namespace fs = std::filesystem;

fs::path variant_dir(const fs::path& run_dir, const std::string& variant) {
  return variant == "seed" ? fs::path() : run_dir / variant;
}

fs::path eval_dir(const fs::path& run_dir, const std::string& variant, const std::string& task) {
  return run_dir / "eval" / variant / task;
}

namespace {
std::vector<Answer> task_answers(RunContext& run, ModelView model, const std::string& variant,
                                 const TaskSettings& task, const std::vector<Example>& examples,
                                 const fs::path& path) {
  const PromptTemplate& prompt = find_prompt_template(template_of(run.recipe, task));
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, prompt_ids(run.bundle.formatter, prompt, example)});
  GenerateOptions options = run.generation();
  options.sampling = {0.0, 0, 1.0};  // greedy
  options.max_new_tokens = answer_limit(run.recipe, task);
  Progress progress(variant + " " + task.name, requests.size(), "answers", run.progress);
  return answer_all(model, run.bundle.tokenizer, requests, options, path,
                    [&](size_t done) { progress.update(done); });
}
}  // namespace

Fingerprint trained_fingerprint(const fs::path& variant_dir) {
  Fingerprint result;
  std::error_code none;
  for (const char* part : {"adapter", "model"})
    if (!variant_dir.empty() && fs::exists(variant_dir / part, none))
      result.emplace_back("the trained " + std::string(part), folder_sha256(variant_dir / part));
  return result;
}

Fingerprint eval_fingerprint(const RunContext& run, const Fingerprint& trained, const TaskSettings& task,
                             const std::vector<Example>& examples) {
  const Recipe& recipe = run.recipe;
  Fingerprint result = run.seed;
  add_settings(&result, recipe, kEval);
  result.insert(result.end(), trained.begin(), trained.end());
  result.emplace_back("template", prompt_identity(template_of(recipe, task)));
  result.emplace_back("check", task.check);
  result.emplace_back("max_new_tokens", std::to_string(answer_limit(recipe, task)));
  result.emplace_back("the task's examples", examples_sha256(examples));
  return result;
}

namespace {
// opened: the prompts end inside a thinking model's trace.
void keep_results(const TaskSettings& task, bool opened, const std::vector<Example>& examples,
                  const std::vector<Answer>& answers, const fs::path& path) {
  std::vector<CheckItem> items;
  for (size_t i = 0; i < examples.size(); ++i)
    items.push_back(check_item(examples[i], strip_thinking(answers[i].text, opened),
                               answers[i].finish != name_of(FinishReason::kStop)));
  std::string lines;
  for (const EvalResult& result : judge(parse_check(task.check, kTaskCheck), items))
    lines += to_line(to_json(result)) + "\n";
  if (!lines.empty()) write_file_atomic(path, lines);
}
}  // namespace

void eval_stage(RunContext& run, const std::string& variant, const std::vector<Dataset>& sets) {
  const Fingerprint trained = trained_fingerprint(variant_dir(run.dir(), variant));
  std::optional<TrainedModel> tuned;  // loaded for the first task that is not done
  for (size_t i = 0; i < sets.size(); ++i) {
    const TaskSettings& task = run.recipe.eval[i];
    const std::vector<Example>& examples = sets[i].examples;
    const fs::path dir = eval_dir(run.dir(), variant, task.name);
    if (begin_stage(dir, eval_fingerprint(run, trained, task, examples), run.fresh)) continue;
    if (!tuned) {
      load_weights(run);
      tuned.emplace(run, variant_dir(run.dir(), variant));
    }
    const auto answers = task_answers(run, tuned->view, variant, task, examples, dir / "answers.jsonl");
    const bool opened =
        find_prompt_template(template_of(run.recipe, task)).chat && opens_thinking(run.bundle.formatter);
    keep_results(task, opened, examples, answers, dir / "scores.jsonl");
    end_stage(dir);
  }
}

}  // namespace sdft
