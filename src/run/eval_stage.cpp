#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "data/turn_end.h"
#include "infer/answers.h"
#include "run/eval_files.h"
#include "run/stages.h"
#include "run/variants.h"
#include "train/monitor.h"

namespace sdft {
namespace fs = std::filesystem;

fs::path variant_dir(const Recipe& recipe, const std::string& variant) {
  if (variant == "seed") return {};
  for (const auto& [name, path] : named_adapters(recipe))
    if (name == variant) return path;
  return fs::path(recipe.output_dir) / variant;
}

fs::path eval_dir(const fs::path& run_dir, const std::string& variant, const std::string& task) {
  return run_dir / "eval" / variant / task;
}

Fingerprint trained_fingerprint(const fs::path& variant_dir) {
  Fingerprint result;
  std::error_code none;
  for (const char* part : {"adapter", "model"})
    if (!variant_dir.empty() && fs::exists(variant_dir / part, none))
      result.emplace_back("the trained " + std::string(part), folder_sha256(variant_dir / part));
  if (result.empty() && !variant_dir.empty() && fs::exists(variant_dir, none))  // one of `adapters`
    result.emplace_back("the trained model", folder_sha256(variant_dir));
  return result;
}

Fingerprint eval_fingerprint(const RunContext& run, const Fingerprint& trained, const TaskSettings& settings,
                             const EvalSet& set) {
  const Recipe& recipe = run.recipe;
  Fingerprint result = run.seed;
  add_settings(&result, recipe, kEval);
  result.insert(result.end(), trained.begin(), trained.end());
  if (set.from_file()) {
    result.emplace_back("the task's files", set.dataset.sha256);
    for (const Task& task : set.tasks)
      if (const std::string& name = template_of(settings, task); !name.empty())
        result.emplace_back("template of " + task.name, prompt_identity(name));
    result.emplace_back("truncate", settings.truncate ? "true" : "false");
    result.emplace_back("max_new_tokens", std::to_string(settings.max_new_tokens));
    result.emplace_back("num_samples", std::to_string(settings.num_samples));
    result.emplace_back("temperature", std::to_string(settings.temperature));
    result.emplace_back("the task's questions", questions_sha256(set.items));
    return result;
  }
  result.emplace_back("template", prompt_identity(template_of(recipe, settings)));
  result.emplace_back("check", settings.check);
  result.emplace_back("max_new_tokens", std::to_string(answer_limit(recipe, settings)));
  result.emplace_back("the task's examples", examples_sha256(set.dataset.examples));
  return result;
}

namespace {
// A model that is evaluated; its weights are read for the first task that it has not done.
struct Evaluated {
  std::string name;
  fs::path dir;  // variant_dir()
  Fingerprint trained;
  std::unique_ptr<TrainedModel> tuned = {};
  std::optional<AnswerCache> said = {};

  // Whether it is an adapter upon the seed's weights, or the seed.
  bool shares_weights() const { return dir.empty() || is_adapter(dir); }
};

// What a model has said in this run directory, whatever the task.
fs::path answers_file(const RunContext& run, const Fingerprint& trained) {
  std::string model;
  for (const Fingerprint& part : {run.seed, trained})
    for (const auto& [name, value] : part) model += to_line(Json{name, value}) + "\n";
  return run.dir() / "eval" / ("answers-" + sha256(model).substr(0, 16) + ".jsonl");
}

// A task, and who answers it: models over the same weights.
struct Evaluation {
  RunContext& run;
  std::vector<Evaluated*> models;
  const TaskSettings& settings;
  const EvalSet& set;

  fs::path dir(const Evaluated& model) const { return eval_dir(run.dir(), model.name, settings.name); }
  std::vector<Answering> answering(const std::string& file) const {
    std::vector<Answering> all;
    for (Evaluated* model : models) all.push_back({model->tuned->view, dir(*model) / file, &*model->said});
    return all;
  }
  // Of `count` answers of each.
  Progress progress(size_t count) const {
    const std::string who = models.size() == 1 ? models[0]->name : std::to_string(models.size()) + " models";
    return {who + " " + settings.name, models.size() * count, "answers", run.progress};
  }
};

bool opens_trace(const RunContext& run, const std::string& prompt_template) {
  return !prompt_template.empty() && find_prompt_template(prompt_template).chat &&
         opens_thinking(run.bundle.formatter);
}

// A dataset with a check.
void evaluate_dataset(const Evaluation& e) {
  const PromptTemplate& prompt = find_prompt_template(template_of(e.run.recipe, e.settings));
  const std::vector<Example>& examples = e.set.dataset.examples;
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, prompt_ids(e.run.bundle.formatter, prompt, example)});
  GenerateOptions options = e.run.generation();
  options.sampling = {0.0, 0, 1.0};  // greedy
  options.max_new_tokens = answer_limit(e.run.recipe, e.settings);
  Progress progress = e.progress(requests.size());
  const auto answers = answer_all(e.answering("answers.jsonl"), e.run.bundle.tokenizer, requests, options,
                                  [&](const Standing& at) { progress.update(at); });
  for (size_t m = 0; m < answers.size(); ++m)
    keep_checked(e.dir(*e.models[m]), e.settings.check, opens_trace(e.run, prompt.name), examples,
                 answers[m]);
}

// --- Task files ---

GenerateOptions options_of(const Evaluation& e, const Task& task) {
  GenerateOptions options = e.run.generation();
  options.sampling = {task.generation.temperature, 0, task.generation.top_p};
  options.max_new_tokens =
      e.settings.max_new_tokens > 0 ? e.settings.max_new_tokens : task.generation.max_new_tokens;
  options.tokenizer = &e.run.bundle.tokenizer;
  for (const std::string& stop : task.generation.until)
    if (!stop.empty()) options.constraints.stop_strings.push_back(stop);
  return options;
}

// One task after the other, since they may differ in how answers are written.
void write_answers(const Evaluation& e) {
  using Written = std::map<std::string, Answer>;  // by request
  std::vector<Written> all(e.models.size());
  Progress progress = e.progress(e.set.items.size());
  for (size_t t = 0; t < e.set.tasks.size(); ++t) {
    const Task& task = e.set.tasks[t];
    std::vector<Request> requests;
    for (size_t i = 0; i < e.set.items.size(); ++i) {
      if (e.set.task_of[i] != t) continue;
      const auto ids =
          question_ids(e.run.bundle, e.set.items[i].questions.front(), template_of(e.settings, task));
      for (int64_t repeat = 0; repeat < task.repeats; ++repeat)
        requests.push_back({request_id(e.set.items[i], repeat), ids});
    }
    const size_t before = all[0].size() * e.models.size();
    auto answers = answer_all(e.answering("written-" + task.name + ".jsonl"), e.run.bundle.tokenizer,
                              requests, options_of(e, task), [&](const Standing& at) {
                                progress.update(e.set.tasks.size() == 1 ? at : Standing{before + at.done});
                              });
    for (size_t m = 0; m < answers.size(); ++m)
      for (Answer& answer : answers[m]) all[m].emplace(answer.id, std::move(answer));
  }
  for (size_t m = 0; m < all.size(); ++m)
    keep_written(e.dir(*e.models[m]), e.set, all[m],
                 opens_trace(e.run, template_of(e.settings, e.set.tasks.front())));
}

// Of some items at a time, so that a killed evaluation goes on where it was.
constexpr size_t kGroup = 256;

// What the model has not said yet it is asked.
std::vector<Score> scores_of(Evaluated& model, const std::vector<ScoreItem>& asked,
                             const ScoreOptions& options) {
  std::vector<Score> scores(asked.size());
  std::vector<ScoreItem> items;
  std::vector<size_t> open;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (const auto known = model.said->find(asked[i])) {
      scores[i] = *known;
    } else {
      items.push_back(asked[i]);
      open.push_back(i);
    }
  }
  const std::vector<Score> found = score(model.tuned->view, items, options);
  for (size_t i = 0; i < open.size(); ++i) {
    scores[open[i]] = found[i];
    model.said->add(items[i], found[i]);
  }
  return scores;
}

void score_group(const Evaluation& e, Evaluated& model, const std::vector<size_t>& group,
                 std::map<std::string, Likelihoods>* all, LineWriter* file,
                 const std::function<void(size_t)>& on_progress) {
  std::vector<ScoreItem> asked;
  std::vector<std::vector<size_t>> counts;  // of each item, how many windows each of its questions has
  for (const size_t i : group) {
    counts.emplace_back();
    for (const Question& question : e.set.items[i].questions) {
      const Task& task = e.set.task(i);
      std::vector<ScoreItem> windows =
          likelihood_items(e.run.bundle, task, question, template_of(e.settings, task), e.settings.truncate);
      counts.back().push_back(windows.size());
      std::move(windows.begin(), windows.end(), std::back_inserter(asked));
    }
  }
  ScoreOptions options;
  options.stop = e.run.stop;
  options.on_step = [&](size_t done) { on_progress(asked.empty() ? 0 : group.size() * done / asked.size()); };
  const std::vector<Score> scores = scores_of(model, asked, options);
  size_t next = 0;
  for (size_t g = 0; g < group.size(); ++g) {
    Likelihoods of;
    for (const size_t windows : counts[g]) {
      double sum = 0;
      bool greedy = true;
      for (size_t w = 0; w < windows; ++w, ++next)
        sum += scores[next].log_prob, greedy &= scores[next].greedy;
      of.log_likelihoods.push_back(sum);
      of.greedy.push_back(greedy);
      // An empty text has no token to be asked about.
      if (windows == 0 && e.set.task(group[g]).output != OutputType::kLogLikelihoodRolling)
        of.missing = name_of(FinishReason::kPromptTooLong);
    }
    const std::string& id = e.set.items[group[g]].id;
    file->write(line_of(id, of));
    (*all)[id] = std::move(of);
  }
}

// One model after the other: passes over whole sequences are bound by arithmetic, which models cannot share.
void score_items(const Evaluation& e) {
  const std::vector<EvalItem>& items = e.set.items;
  Progress progress = e.progress(items.size());
  for (size_t m = 0; m < e.models.size(); ++m) {
    const fs::path dir = e.dir(*e.models[m]);
    auto all = read_likelihoods(dir / "likelihoods.jsonl");
    LineWriter file(dir / "likelihoods.jsonl");
    std::vector<size_t> open;
    for (size_t i = 0; i < items.size(); ++i)
      if (!all.count(items[i].id)) open.push_back(i);
    for (size_t begin = 0; begin < open.size(); begin += kGroup) {
      const size_t done = m * items.size() + all.size();
      const std::vector<size_t> group(
          open.begin() + static_cast<ptrdiff_t>(begin),
          open.begin() + static_cast<ptrdiff_t>(std::min(begin + kGroup, open.size())));
      score_group(e, *e.models[m], group, &all, &file, [&](size_t more) { progress.update(done + more); });
    }
    progress.update((m + 1) * items.size());
    keep_likelihoods(dir, e.set, all);
  }
}

// --- Divergence from the seed ---

AnswerCache& said_by(const RunContext& run, Evaluated& model) {
  if (!model.said) model.said.emplace(answers_file(run, model.trained));
  return *model.said;
}

// Some samples' distances, averaged over each one's tokens.
std::vector<Distance> mean_distances(ModelView seed, ModelView model, const std::vector<Sample>& samples) {
  constexpr int64_t kTokensAPass = 4096;
  std::vector<Distance> means;
  for (const std::vector<TokenDistance>& tokens : distances(seed, model, samples, kTokensAPass)) {
    Distance sum;
    for (const TokenDistance& token : tokens) sum.kl += token.kl, sum.agreement += token.agrees;
    const auto count = std::max<double>(1, static_cast<double>(tokens.size()));
    means.push_back({sum.kl / count, sum.agreement / count});
  }
  return means;
}

// The seed writes an answer to each question, along which the models are compared with it.
void measure_divergences(const Evaluation& e, AnswerCache& said_by_seed) {
  const std::vector<EvalItem>& items = e.set.items;
  Progress progress = e.progress(items.size());
  std::vector<Divergence> of_seed;
  std::vector<Sample> samples;
  for (size_t t = 0; t < e.set.tasks.size(); ++t) {  // their items lie one after another
    std::vector<Request> requests;
    for (size_t i = 0; i < items.size(); ++i)
      if (e.set.task_of[i] == t)
        requests.push_back({items[i].id, question_ids(e.run.bundle, items[i].questions.front(),
                                                      template_of(e.settings, e.set.tasks[t]))});
    const std::vector<Completion> answers =
        completions_of(e.run.seed_model(), requests, options_of(e, e.set.tasks[t]), said_by_seed);
    for (size_t i = 0; i < answers.size(); ++i) {
      of_seed.push_back({answer_of(e.run.bundle.tokenizer, answers[i]), {0, 1}});
      samples.push_back({answers[i].id, requests[i].prompt, {}, {}, {}});
      if (answers[i].finish == FinishReason::kPromptTooLong) {  // nothing to compare
        samples.back().ids.resize(1);
        samples.back().supervised.assign(1, 0);
        continue;
      }
      const std::vector<int32_t> written = answers[i].written();
      samples.back().ids.insert(samples.back().ids.end(), written.begin(), written.end());
      samples.back().supervised.assign(requests[i].prompt.size(), 0);
      samples.back().supervised.resize(samples.back().ids.size(), 1);
    }
  }
  constexpr size_t kSome = 32;  // at a time, to see progress
  for (size_t m = 0; m < e.models.size(); ++m) {
    std::vector<Divergence> all = of_seed;
    const bool is_seed = e.models[m]->dir.empty();
    for (size_t begin = 0; begin < samples.size() && !is_seed; begin += kSome) {
      if (e.run.stop && *e.run.stop) throw Error(ExitCode::kInterrupted, "interrupted while comparing");
      const size_t end = std::min(samples.size(), begin + kSome);
      const std::vector<Sample> some(samples.begin() + static_cast<ptrdiff_t>(begin),
                                     samples.begin() + static_cast<ptrdiff_t>(end));
      const std::vector<Distance> found = mean_distances(e.run.seed_model(), e.models[m]->tuned->view, some);
      for (size_t i = begin; i < end; ++i) all[i].distance = found[i - begin];
      progress.update(m * samples.size() + end);
    }
    progress.update((m + 1) * samples.size());
    keep_divergences(e.dir(*e.models[m]), e.set, all);
  }
}

// Those that evaluate together: adapters upon the seed's weights, some at a time since they stay in memory,
// and each model with weights of its own alone.
std::vector<std::vector<Evaluated*>> by_weights(std::vector<Evaluated>& models) {
  constexpr size_t kTogether = 8;
  std::vector<std::vector<Evaluated*>> all;
  std::optional<size_t> sharing;  // of `all`
  for (Evaluated& model : models) {
    if (model.shares_weights() && sharing && all[*sharing].size() < kTogether) {
      all[*sharing].push_back(&model);
      continue;
    }
    if (model.shares_weights()) sharing = all.size();
    all.push_back({&model});
  }
  return all;
}

// What the seed said stands in one file, whoever is compared with it.
void diverge(const Evaluation& e, const std::vector<Evaluated*>& together) {
  for (Evaluated* model : together)
    if (model->dir.empty()) {
      measure_divergences(e, said_by(e.run, *model));
      return model->said->tidy();
    }
  AnswerCache said(answers_file(e.run, {}));
  measure_divergences(e, said);
  said.tidy();
}

void evaluate(RunContext& run, const std::vector<Evaluated*>& models, const TaskSettings& settings,
              const EvalSet& set) {
  Evaluation e{run, {}, settings, set};
  for (Evaluated* model : models) {
    if (begin_stage(e.dir(*model), eval_fingerprint(run, model->trained, settings, set), run.fresh)) continue;
    load_weights(run);
    if (!model->tuned) model->tuned = std::make_unique<TrainedModel>(run, model->dir);
    said_by(run, *model);
    e.models.push_back(model);
  }
  if (e.models.empty()) return;
  if (!set.from_file())
    evaluate_dataset(e);
  else if (set.tasks.front().output == OutputType::kGenerateUntil)
    write_answers(e);
  else if (set.tasks.front().output == OutputType::kDivergence)
    diverge(e, models);
  else
    score_items(e);
  for (Evaluated* model : e.models) {
    model->said->tidy();
    end_stage(e.dir(*model));
  }
}

}  // namespace

void eval_stage(RunContext& run, const std::vector<std::string>& variants, const std::vector<EvalSet>& sets) {
  std::vector<Evaluated> models;
  for (const std::string& name : variants) {
    const fs::path dir = variant_dir(run.recipe, name);
    models.push_back({name, dir, trained_fingerprint(dir)});
  }
  for (const std::vector<Evaluated*>& together : by_weights(models)) {
    for (size_t i = 0; i < sets.size(); ++i) evaluate(run, together, run.recipe.eval[i], sets[i]);
    for (Evaluated* model : together) model->tuned.reset(), model->said.reset();
  }
}

}  // namespace sdft
