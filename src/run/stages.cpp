#include "run/stages.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "data/samples.h"
#include "eval/metrics.h"
#include "eval/sandbox.h"
#include "eval/task.h"
#include "infer/answers.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr size_t kGroup = 512;  // answers kept together

bool is_done(const fs::path& dir) { return fs::exists(dir / "DONE"); }
void mark_done(const fs::path& dir) { write_file_atomic(dir / "DONE", "done\n"); }

void keep_note(const fs::path& path, const Json& json) { write_file_atomic(path, json.dump(2) + "\n"); }

DistillOptions distill_options(const Session& session) {
  DistillOptions options;
  options.distill_template = session.recipe.distill_template;
  options.training_template = session.recipe.prompt_template;
  options.answer_check = session.recipe.answer_check;
  options.rewrite_attempts = session.recipe.rewrite_attempts;
  options.distilled_fraction = session.recipe.distilled_fraction;
  options.generation = session.generation();
  options.group = kGroup;
  return options;
}

SampleSettings sample_settings(const Session& session) {
  return {session.recipe.prompt_template,
          effective_cutoff(session.recipe.train.cutoff_len, session.model.config.max_position_embeddings),
          session.recipe.train_on_prompt};
}
}  // namespace

std::vector<Sample> training_samples(const Session& session, const Dataset& dataset) {
  std::vector<Sample> samples;
  for (const Example& example : dataset.examples)
    samples.push_back(sample_of(session.formatter, sample_settings(session), example));
  return samples;
}

std::vector<DistilledExample> distill_stage(Session& session, const Dataset& dataset, const fs::path& dir) {
  if (is_done(dir)) return read_distilled(dir / "distilled.jsonl", dataset);
  set_adapter(session.model, nullptr);
  std::optional<Progress> progress;  // one an attempt
  int64_t shown = 0;
  const DistillOptions options = distill_options(session);
  auto distilled = distill(session.model, session.formatter, dataset, options, dir,
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
            to_json(summarize(session.model, session.formatter, dataset, distilled, options)));
  mark_done(dir);
  return distilled;
}

namespace {
// DIR/samples.json and warnings: what of the samples training will not see as it was. Error(kInput) where
// that leaves nothing to learn.
void note_samples(const Session& session, const std::string& label, const Dataset& dataset,
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
      cut_ids.push_back(
          {{"id", dataset.examples[i].id}, {"tokens_cut", samples[i].cut}, {"answer_left", learned}});
  }
  keep_note(dir / "samples.json", {{"samples", samples.size()},
                                   {"unlearned", unlearned},
                                   {"special_spelled", spelled},
                                   {"cut", cut_ids}});
  if (spelled > 0)
    spdlog::warn("{}: texts of the dataset spell out special tokens {} times; they stay plain characters",
                 label, spelled);
  if (!cut_ids.empty())
    spdlog::warn(
        "{}: {} of {} samples are longer than {} tokens and were cut, {} with nothing of their answer left "
        "to learn (listed in {})",
        label, cut_ids.size(), samples.size(), sample_settings(session).cutoff_len, unlearned,
        (dir / "samples.json").string());
  if (unlearned == samples.size())
    fail_input(dir.string(), "every sample is cut before its answer, so that there is nothing to learn",
               "raise cutoff_len, or use a model with a longer context");
}

void save_trained(Session& session, const Adapter* adapter, const fs::path& dir) {
  const Recipe& recipe = session.recipe;
  const fs::path base = recipe.model_name_or_path;
  if (adapter) {
    save_adapter(*adapter, dir / "adapter", base.string());
    set_adapter(session.model, nullptr);
    return;
  }
  const std::map<std::string, at::ScalarType> types = {
      {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};
  save_model(session.model, dir / "model", base, types.at(recipe.save_dtype));
  if (!recipe.train_from_scratch) session.model = load_model(base, {recipe.device, recipe.dtype});
}
}  // namespace

void train_stage(Session& session, const std::string& label, const Dataset& dataset, const fs::path& dir) {
  if (is_done(dir)) return;
  TrainOptions options = session.recipe.train;
  options.seed = session.recipe.seed;
  const std::vector<Sample> samples = training_samples(session, dataset);
  make_directories(dir);
  note_samples(session, label, dataset, samples, dir);
  const bool lora = options.finetuning_type == "lora";
  Adapter adapter;
  if (lora) adapter = init_adapter(session.model, options.lora, options.seed);
  Progress progress(label, static_cast<size_t>(total_steps(options, samples.size())), "steps",
                    session.progress);
  train(
      session.model, lora ? &adapter : nullptr, samples, options, dir,
      [&](const StepMetrics& m, int64_t) {
        progress.update(static_cast<size_t>(m.step),
                        fmt::format("loss {:.4f}  {:.0f} tok/s", m.loss, m.tokens_per_second));
      },
      session.stop);
  save_trained(session, lora ? &adapter : nullptr, dir);
  finish_training(dir);
  mark_done(dir);
}

namespace {
// The model as a variant left it; with an adapter the seed's weights stay where they are.
struct Variant {
  Adapter adapter;
  Model full;
  const Model* model;

  Variant(Session& session, const fs::path& dir) : model(&session.model) {
    set_adapter(session.model, nullptr);
    if (dir.empty()) return;
    if (fs::exists(dir / "adapter")) {
      adapter = load_adapter(session.model, dir / "adapter");
      set_adapter(session.model, &adapter);
    } else {
      full = load_model(dir / "model", {session.recipe.device, session.recipe.dtype});
      model = &full;
    }
  }
};

std::vector<Answer> task_answers(Session& session, const Model& model, const std::string& label,
                                 const TaskSettings& task, const std::vector<Example>& examples,
                                 const fs::path& path) {
  const PromptTemplate& prompt = find_prompt_template(
      task.prompt_template.empty() ? session.recipe.prompt_template : task.prompt_template);
  std::vector<Request> requests;
  for (const Example& example : examples)
    requests.push_back({example.id, prompt_ids(session.formatter, prompt, example)});
  GenerateOptions options = session.generation();
  options.sampling = {0.0, 0, 1.0};  // greedy
  if (task.max_new_tokens > 0) options.max_new_tokens = task.max_new_tokens;
  Progress progress(label + " " + task.name, requests.size(), "answers", session.progress);
  return answer_all(model, session.tokenizer, requests, options, path, kGroup,
                    [&](size_t done) { progress.update(done); });
}
}  // namespace

void eval_stage(Session& session, const std::string& label, const fs::path& variant_dir,
                const fs::path& dir) {
  if (is_done(dir)) return;
  make_directories(dir);
  Variant variant(session, variant_dir);
  Json scores = Json::object();
  for (const TaskSettings& task : session.recipe.eval) {
    const size_t limit =
        static_cast<size_t>(task.max_samples > 0 ? task.max_samples : session.recipe.eval_max_samples);
    const Check check = parse_check(task.check);
    const bool needs_response = check != Check::kNone && check != Check::kRefusal;
    const Dataset dataset = open_dataset(session.recipe, task.dataset, task.columns, limit, needs_response);
    require_judgeable(check, dataset.examples);
    const auto answers =
        task_answers(session, *variant.model, label, task, dataset.examples, dir / (task.name + ".jsonl"));
    std::vector<std::string> texts;
    for (const Answer& answer : answers) texts.push_back(answer.text);
    if (check != Check::kNone) {
      std::vector<int> right;
      for (bool good : judge(check, dataset.examples, texts)) right.push_back(good);
      scores[task.name] = right;
    }
  }
  keep_note(dir / "scores.json", scores);
  set_adapter(session.model, nullptr);
  mark_done(dir);
}

namespace {
// A run directory belongs to one recipe: going on with another would mix results.
void claim_directory(const Recipe& recipe) {
  const fs::path dir = recipe.output_dir, path = dir / "recipe.yaml";
  make_directories(dir);
  const std::string now = resolved_recipe(recipe);
  if (!fs::exists(path)) return write_file_atomic(path, now);
  const std::string before = read_text(path);
  if (before == now) return;
  size_t line = 0, begin = 0;
  while (begin < before.size() && begin < now.size()) {
    const size_t a = before.find('\n', begin), b = now.find('\n', begin);
    if (before.substr(begin, a - begin) != now.substr(begin, b - begin) || a == std::string::npos ||
        b == std::string::npos)
      break;
    begin = a + 1;
    ++line;
  }
  auto line_at = [&](const std::string& text) {
    return begin < text.size() ? text.substr(begin, text.find('\n', begin) - begin) : std::string("nothing");
  };
  fail_input(fmt::format("{}:{}", path.string(), line + 1),
             fmt::format("this run directory was made with another recipe: '{}' then, '{}' now",
                         line_at(before), line_at(now)),
             "choose another output_dir, or remove this one");
}

Json provenance(const Session& session, const Dataset& dataset) {
  Json json;
  json["model"] = {{"path", session.recipe.model_name_or_path},
                   {"architecture", session.model.config.architecture},
                   {"parameters", session.model.config.parameters()}};
  json["dataset"] = {
      {"path", dataset.path.string()}, {"sha256", dataset.sha256}, {"examples", dataset.examples.size()}};
  json["skipped"] = Json::array();
  for (const SkippedRecord& record : dataset.skipped)
    json["skipped"].push_back({{"where", record.where}, {"reason", record.reason}});
  json["eval"] = Json::array();
  for (const TaskSettings& task : session.recipe.eval) {
    const Dataset set = open_dataset(session.recipe, task.dataset, task.columns, 0, false);
    json["eval"].push_back({{"name", task.name},
                            {"path", set.path.string()},
                            {"sha256", set.sha256},
                            {"examples", set.examples.size()}});
  }
  json["device"] = session.model.device.str();
  json["threads"] = at::get_num_threads();
  json["libtorch"] = kTorchVersion;
  json["sdft"] = SDFT_VERSION;
  return json;
}
}  // namespace

std::string run_all(const Recipe& recipe, const std::atomic<bool>* stop, bool progress) {
  const fs::path dir = recipe.output_dir;
  if (recipe.dataset.empty()) fail_usage("dataset is not set", "the task's training examples");
  for (const TaskSettings& task : recipe.eval)
    if (parse_check(task.check) == Check::kProgram)
      run_python({"pass"});  // fails now rather than after the training
  claim_directory(recipe);
  if (is_done(dir)) return report_stage(recipe, dir);
  auto session = open_session(recipe);
  session->stop = stop;
  session->progress = progress;
  const Dataset dataset =
      open_dataset(recipe, recipe.dataset, recipe.columns, static_cast<size_t>(recipe.max_samples), true);
  keep_note(dir / "provenance.json", provenance(*session, dataset));

  const auto distilled = distill_stage(*session, dataset, dir / "distill");
  if (recipe.baseline) train_stage(*session, "train vanilla", dataset, dir / "vanilla");
  Dataset targets = dataset;
  for (size_t i = 0; i < distilled.size(); ++i) targets.examples[i].response = distilled[i].target();
  train_stage(*session, "train sdft", targets, dir / "sdft");
  if (!recipe.eval.empty()) {
    eval_stage(*session, "seed", "", dir / "eval" / "seed");
    if (recipe.baseline) eval_stage(*session, "vanilla", dir / "vanilla", dir / "eval" / "vanilla");
    eval_stage(*session, "sdft", dir / "sdft", dir / "eval" / "sdft");
  }
  const std::string text = report_stage(recipe, dir);
  mark_done(dir);
  return text;
}

}  // namespace sdft
