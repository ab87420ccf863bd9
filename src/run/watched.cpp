#include "run/watched.h"

#include <algorithm>

#include "sdft/method.h"

namespace sdft {

namespace {
// Those whose prompts are chats: of task files the questions are of another form.
bool is_retained(const TaskSettings& task) { return task.kind == "retained" && task.task.empty(); }

// Prompts of the task, and of the retained tasks in turn.
std::vector<WatchedPrompts> watched_prompts(const RunContext& run, const VariantJob& job) {
  const auto most = static_cast<size_t>(job.recipe.watch_samples);
  const Formatter& formatter = run.bundle.formatter;
  auto request = [&](const Example& example, const std::string& prompt) {
    return Request{"watch " + example.id, prompt_ids(formatter, find_prompt_template(prompt), example)};
  };
  std::vector<WatchedPrompts> kinds{{"task", {}}};
  const auto& examples = job.used->dataset.examples;
  for (size_t i = 0; i < std::min(most, examples.size()); ++i)
    kinds[0].requests.push_back(request(examples[i], job.recipe.prompt_template));
  WatchedPrompts retained{"retained", {}};
  for (size_t i = 0, left = 1; left > 0 && retained.requests.size() < most; ++i) {
    left = 0;
    for (size_t k = 0; k < job.eval->size() && retained.requests.size() < most; ++k) {
      const auto& of_task = (*job.eval)[k].dataset.examples;
      if (!is_retained(job.recipe.eval[k]) || i >= of_task.size()) continue;
      retained.requests.push_back(request(of_task[i], template_of(job.recipe, job.recipe.eval[k])));
      ++left;
    }
  }
  if (!retained.requests.empty()) kinds.push_back(std::move(retained));
  return kinds;
}
}  // namespace

bool is_watched(const VariantJob& job) {
  return is_watched(job.recipe, find_method(job.variant.method).on_policy);
}

void add_watched(Fingerprint* fingerprint, const VariantJob& job) {
  if (!is_watched(job)) return;
  for (size_t i = 0; i < job.eval->size(); ++i)
    if (is_retained(job.recipe.eval[i]))
      fingerprint->emplace_back("the retained task " + job.recipe.eval[i].name,
                                examples_sha256((*job.eval)[i].dataset.examples));
}

Monitor monitor_of(const RunContext& run, const VariantJob& job, ModelView start) {
  if (!is_watched(job)) return {};
  const Method& method = find_method(job.variant.method);
  WatchOptions options;
  options.steps = job.recipe.watch_steps;
  options.kl_budget = method.change == Change::kNone ? job.recipe.kl_budget : 0;
  options.collapse_guard = method.on_policy && job.recipe.collapse_guard;
  options.generation = run.generation(job.recipe);
  options.generation.sampling = job.recipe.rollout;
  return watch_training(run.seed_model(), start, watched_prompts(run, job), options);
}

}  // namespace sdft
