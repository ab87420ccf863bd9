#include "run/stages.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "data/answer.h"
#include "data/turn_end.h"
#include "eval/task.h"
#include "infer/answers.h"
#include "train/checkpoint.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
void keep_note(const fs::path& path, const Json& json) { write_file_atomic(path, json.dump(2) + "\n"); }

DistillOptions distill_options(const Session& session) {
  DistillOptions options;
  options.distill_template = session.recipe.distill_template;
  options.training_template = session.recipe.prompt_template;
  options.answer_check = session.recipe.answer_check;
  options.rewrite_attempts = session.recipe.rewrite_attempts;
  options.distilled_fraction = session.recipe.distilled_fraction;
  options.generation = session.generation();
  return options;
}
}  // namespace

Fingerprint distill_fingerprint(const RunContext& run, const std::vector<Example>& examples) {
  Fingerprint result = run.seed;
  add_settings(&result, run.session.recipe, kDistill);
  result.emplace_back("the dataset's examples", examples_sha256(examples));
  return result;
}

std::vector<DistilledExample> distill_stage(const RunContext& run, const Dataset& dataset) {
  const fs::path dir = run.dir / "distill";
  if (begin_stage(dir, distill_fingerprint(run, dataset.examples), run.fresh))
    return read_distilled(dir / "distilled.jsonl", dataset);
  Session& session = run.session;
  load_weights(session);
  std::optional<Progress> progress;  // one an attempt
  int64_t shown = 0;
  const DistillOptions options = distill_options(session);
  auto distilled = distill(session.seed(), session.formatter, dataset, options, dir,
                           [&](int64_t attempt, size_t done, size_t total) {
                             if (attempt != shown) {
                               const std::string label =
                                   attempt == 1 ? "distill" : fmt::format("distill, attempt {}", attempt);
                               progress.reset();
                               progress.emplace(label, total, "answers", session.progress);
                               shown = attempt;
                             }
                             progress->update(done);
                           });
  keep_note(dir / "summary.json",
            to_json(summarize(session.seed(), session.formatter, dataset, distilled, options)));
  end_stage(dir);
  return distilled;
}

std::vector<Example> distilled_targets(const fs::path& run_dir, const Dataset& dataset) {
  std::vector<Example> targets = dataset.examples;
  const auto distilled = read_distilled(run_dir / "distill" / "distilled.jsonl", dataset);
  for (size_t i = 0; i < distilled.size(); ++i) targets[i].response = distilled[i].target();
  return targets;
}

namespace {
// DIR/samples.json and warnings: what of the samples training will not see as it was. Error(kInput) where
// that leaves nothing to learn.
void note_samples(const Session& session, const std::string& variant, const std::vector<Example>& examples,
                  const std::vector<Sample>& samples, const fs::path& dir) {
  Json cut_ids = Json::array();
  size_t unlearned = 0;  // nothing of the answer is left
  size_t spelled = 0;    // special tokens in the dataset's own texts
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto& supervised = samples[i].supervised;
    const bool learned = std::find(supervised.begin(), supervised.end(), uint8_t{1}) != supervised.end();
    unlearned += !learned;
    spelled += samples[i].special_spelled;
    if (samples[i].cut > 0)
      cut_ids.push_back({{"id", examples[i].id}, {"tokens_cut", samples[i].cut}, {"answer_left", learned}});
  }
  keep_note(dir / "samples.json", {{"samples", samples.size()},
                                   {"unlearned", unlearned},
                                   {"special_spelled", spelled},
                                   {"cut", cut_ids}});
  if (spelled > 0)
    spdlog::warn(
        "train {}: texts of the dataset spell out special tokens {} times; they stay plain characters",
        variant, spelled);
  if (!cut_ids.empty())
    spdlog::warn(
        "train {}: {} of {} samples are longer than {} tokens and were cut, {} with nothing of their answer "
        "left to learn (listed in {})",
        variant, cut_ids.size(), samples.size(), session.samples().cutoff_len, unlearned,
        (dir / "samples.json").string());
  if (unlearned == samples.size())
    fail_input(dir.string(), "every sample is cut before its answer, so that there is nothing to learn",
               "raise cutoff_len, or use a model with a longer context");
}

// A new adapter, or the seed's own to go on with.
Adapter first_adapter(Session& session, LoraConfig* config) {
  const Recipe& recipe = session.recipe;
  if (recipe.adapter_name_or_path.empty()) return init_adapter(session.model, *config, recipe.seed);
  Adapter adapter = load_adapter(session.model, recipe.adapter_name_or_path);
  if (!adapter.replaced.empty())
    fail_input(recipe.adapter_name_or_path,
               "also replaces whole weights (modules_to_save), which training cannot",
               "merge it first: sdft merge");
  adapter.config.dropout = config->dropout;
  spdlog::info("training goes on with the adapter of {}: its rank, alpha and layers hold, not the recipe's",
               recipe.adapter_name_or_path);
  *config = adapter.config;
  return adapter;
}

void save_trained(const Recipe& recipe, const Model& model, const Adapter* adapter, const fs::path& dir) {
  const fs::path base = recipe.model_name_or_path;
  if (adapter) return save_adapter(*adapter, dir / "adapter", base.string());
  const std::map<std::string, at::ScalarType> types = {
      {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  save_model(model, dir / "model", base, types.at(recipe.save_dtype));
}
}  // namespace

Fingerprint train_fingerprint(const RunContext& run, const std::vector<Example>& examples) {
  Fingerprint result = run.seed;
  add_settings(&result, run.session.recipe, kTrain);
  result.emplace_back("the examples and their targets", examples_sha256(examples));
  return result;
}

void train_stage(const RunContext& run, const std::string& variant, const std::vector<Example>& examples) {
  const fs::path dir = run.dir / variant;
  if (begin_stage(dir, train_fingerprint(run, examples), run.fresh)) return;
  Session& session = run.session;
  TrainOptions options = session.recipe.train;
  options.seed = session.recipe.seed;
  load_weights(session);
  std::vector<Sample> samples;
  for (const Example& example : examples)
    samples.push_back(sample_of(session.formatter, session.samples(), example));
  note_samples(session, variant, examples, samples, dir);
  const bool lora = options.finetuning_type == "lora";
  Adapter adapter;
  Model own;  // what full fine-tuning changes: the seed stays
  if (lora) {
    adapter = first_adapter(session, &options.lora);
  } else {
    own = clone(session.model);
  }
  {
    const auto source = fixed_data(samples, options.samples_per_step(), options.seed);
    Trainer trainer(lora ? session.model : own, lora ? &adapter : nullptr,
                    make_objective(options.objective, {session.seed()}), options,
                    total_steps(options, source->steps_per_epoch()));
    Progress progress("train " + variant, static_cast<size_t>(trainer.total()), "steps", session.progress);
    train(
        trainer, *source, options.save_steps, dir,
        [&](const StepMetrics& m) {
          progress.update(static_cast<size_t>(m.step),
                          fmt::format("loss {:.4f}  {:.0f} tok/s", m.loss, m.tokens_per_second));
        },
        session.stop);
  }
  save_trained(session.recipe, own, lora ? &adapter : nullptr, dir);
  finish_training(dir);
  end_stage(dir);
}

fs::path eval_dir(const fs::path& run_dir, const std::string& variant, const std::string& task) {
  return run_dir / "eval" / variant / task;
}

namespace {
// The model as a variant left it; with an adapter the seed's weights stay where they are.
struct Variant {
  Adapter adapter;
  Model full;
  ModelView view;

  Variant(Session& session, const fs::path& dir) : view(session.seed()) {
    if (dir.empty()) return;
    std::error_code none;
    if (fs::exists(dir / "adapter", none)) {
      adapter = load_adapter(session.model, dir / "adapter");
      view = {session.model, &adapter};
    } else {
      full = load_model(dir / "model", {session.recipe.device, session.recipe.dtype});
      view = full;
    }
  }
};

// Where a variant's weights are; "" for the seed.
fs::path variant_dir(const fs::path& run_dir, const std::string& variant) {
  return variant == "seed" ? fs::path() : run_dir / variant;
}

const PromptTemplate& template_of(const Recipe& recipe, const TaskSettings& task) {
  return find_prompt_template(task.prompt_template.empty() ? recipe.prompt_template : task.prompt_template);
}

int64_t answer_limit(const Recipe& recipe, const TaskSettings& task) {
  return task.max_new_tokens > 0 ? task.max_new_tokens : recipe.max_new_tokens;
}

std::vector<Answer> task_answers(Session& session, ModelView model, const std::string& variant,
                                 const TaskSettings& task, const std::vector<Example>& examples,
                                 const fs::path& path) {
  const PromptTemplate& prompt = template_of(session.recipe, task);
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, prompt_ids(session.formatter, prompt, example)});
  GenerateOptions options = session.generation();
  options.sampling = {0.0, 0, 1.0};  // greedy
  options.max_new_tokens = answer_limit(session.recipe, task);
  Progress progress(variant + " " + task.name, requests.size(), "answers", session.progress);
  return answer_all(model, session.tokenizer, requests, options, path,
                    [&](size_t done) { progress.update(done); });
}
}  // namespace

Fingerprint trained_fingerprint(const fs::path& run_dir, const std::string& variant) {
  Fingerprint result;
  const fs::path dir = variant_dir(run_dir, variant);
  std::error_code none;
  for (const char* part : {"adapter", "model"})
    if (!dir.empty() && fs::exists(dir / part, none))
      result.emplace_back("the trained " + std::string(part), folder_sha256(dir / part));
  return result;
}

Fingerprint eval_fingerprint(const RunContext& run, const Fingerprint& trained, const TaskSettings& task,
                             const std::vector<Example>& examples) {
  const Recipe& recipe = run.session.recipe;
  Fingerprint result = run.seed;
  add_settings(&result, recipe, kEval);
  result.insert(result.end(), trained.begin(), trained.end());
  result.emplace_back("template", template_of(recipe, task).name);
  result.emplace_back("check", task.check);
  result.emplace_back("max_new_tokens", std::to_string(answer_limit(recipe, task)));
  result.emplace_back("the task's examples", examples_sha256(examples));
  return result;
}

namespace {
// opened: the prompts end inside a thinking model's trace.
void keep_scores(const TaskSettings& task, bool opened, const std::vector<Example>& examples,
                 const std::vector<Answer>& answers, const fs::path& path) {
  const Check check = parse_check(task.check);
  if (check == Check::kNone) return;
  std::vector<std::string> texts;
  for (const Answer& answer : answers) texts.emplace_back(strip_thinking(answer.text, opened));
  const std::vector<bool> right = judge(check, examples, texts);
  std::string lines;
  for (size_t i = 0; i < right.size(); ++i) {
    const Json json = {{"id", examples[i].id}, {"score", right[i] ? 1 : 0}};
    lines += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file_atomic(path, lines);
}
}  // namespace

void eval_stage(const RunContext& run, const std::string& variant, const std::vector<Dataset>& sets) {
  Session& session = run.session;
  const Fingerprint trained = trained_fingerprint(run.dir, variant);
  std::optional<Variant> tuned;  // loaded for the first task that is not done
  for (size_t i = 0; i < sets.size(); ++i) {
    const TaskSettings& task = session.recipe.eval[i];
    const std::vector<Example>& examples = sets[i].examples;
    const fs::path dir = eval_dir(run.dir, variant, task.name);
    if (begin_stage(dir, eval_fingerprint(run, trained, task, examples), run.fresh)) continue;
    if (!tuned) {
      load_weights(session);
      tuned.emplace(session, variant_dir(run.dir, variant));
    }
    const auto answers = task_answers(session, tuned->view, variant, task, examples, dir / "answers.jsonl");
    const bool opened = template_of(session.recipe, task).chat && opens_thinking(session.formatter);
    keep_scores(task, opened, examples, answers, dir / "scores.jsonl");
    end_stage(dir);
  }
}

}  // namespace sdft
