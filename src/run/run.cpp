#include "run/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/problems.h"
#include "run/endpoint_stage.h"
#include "run/eval_set.h"
#include "run/evaluation.h"
#include "run/results.h"
#include "run/similarity_stage.h"
#include "run/stages.h"
#include "run/sweep.h"
#include "run/training_plan.h"
#include "run/validate.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What the stages of a call will make.
struct Plan {
  unsigned stages;
  std::vector<Variant> variants;  // to rewrite for and to train
  std::vector<std::string> eval;  // "seed" and names of variants
};

bool needs_rewrites(const Variant& variant) { return find_method(variant.method).rewrites; }

// Whether this call has rewrites for the variant to train on, or will have made them by then.
bool has_rewrites(const Recipe& recipe, unsigned stages, const Variant& variant) {
  return (stages & kDistill) || stage_done(fs::path(recipe.output_dir) / distill_folder(recipe, variant));
}

// Of the wanted variants those that can be trained: a variant of rewrites needs them, one that goes on from
// another needs that one.
std::vector<Variant> variants_to_train(const Recipe& recipe, unsigned stages, const std::string& name) {
  const fs::path dir = recipe.output_dir;
  std::vector<Variant> list = wanted_variants(recipe), ready;
  if (!name.empty()) list = {find_variant(recipe, name)};
  std::set<std::string> waiting;
  std::error_code none;
  for (const Variant& variant : list) {
    const bool chained = waiting.count(variant.after) > 0;
    if (!chained && (!needs_rewrites(variant) || has_rewrites(recipe, stages, variant))) {
      ready.push_back(variant);
      continue;
    }
    waiting.insert(variant.name);
    const fs::path folder = dir / distill_folder(recipe, variant);
    if (!name.empty())
      fail_input(dir.string(), "has no finished rewrites for " + name + " to train on",
                 "run sdft distill with this output_dir first");
    if (!chained && fs::exists(folder, none))
      fail_input(folder.string(), "is not finished", "sdft distill goes on with it");
  }
  if (ready.empty())  // the short form without a baseline
    for (const Variant& variant : known_variants(recipe))
      if (!needs_rewrites(variant)) ready.push_back(variant);
  if (ready.empty())
    fail_input(dir.string(), "has no rewrites to train on", "run sdft distill with this output_dir first");
  if (!waiting.empty())
    spdlog::info("{} has no rewrites for {} (sdft distill makes them): training {} alone", dir.string(),
                 fmt::join(waiting, ", "), ready.size() == 1 ? ready[0].name : "the others");
  return ready;
}

// Those whose rewrites can be made: where the one that a variant goes on from writes them, that one is
// trained.
std::vector<Variant> variants_to_distill(const Recipe& recipe) {
  std::vector<Variant> list;
  for (const Variant& variant : wanted_variants(recipe)) {
    if (!needs_rewrites(variant)) continue;
    if (variant.after.empty() || recipe_of(recipe, variant).rewriter == "seed" ||
        stage_done(fs::path(recipe.output_dir) / variant.after))
      list.push_back(variant);
    else
      spdlog::info("{} is rewritten for when {} is trained", variant.name, variant.after);
  }
  if (list.empty()) fail_usage("no variant of the recipe learns from rewrites");
  return list;
}

// A variant that goes on from another comes after it, or that one is trained already.
void check_chains(const Recipe& recipe, const std::vector<Variant>& variants) {
  std::set<std::string> before;
  for (const Variant& variant : variants) {
    if (!variant.after.empty() && !before.count(variant.after) &&
        !stage_done(fs::path(recipe.output_dir) / variant.after))
      fail_input(recipe.output_dir,
                 variant.name + " goes on from " + variant.after + ", which is not trained",
                 "train that one first: sdft train --variant " + variant.after);
    before.insert(variant.name);
  }
}

Plan plan_of(const Recipe& recipe, unsigned stages, const std::string& variant) {
  Plan plan{stages, {}, {}};
  if (stages & kTrain)
    check_chains(recipe, plan.variants = variants_to_train(recipe, stages, variant));
  else if (stages & kDistill)
    plan.variants = variants_to_distill(recipe);
  if (!(stages & kEval)) return plan;
  plan.eval = {"seed"};
  if (stages & kTrain) {
    for (const Variant& trained : plan.variants) plan.eval.push_back(trained.name);
  } else {
    for (const Variant& known : known_variants(recipe))
      if (stage_done(fs::path(recipe.output_dir) / known.name)) plan.eval.push_back(known.name);
  }
  for (const auto& [name, path] : named_adapters(recipe)) plan.eval.push_back(name);
  return plan;
}

std::vector<VariantJob> jobs_of(const Recipe& recipe, const Plan& plan, const Inputs& inputs) {
  std::vector<VariantJob> jobs;
  for (const Variant& variant : plan.variants) {
    const Recipe own = recipe_of(recipe, variant);
    jobs.push_back({variant,
                    own,
                    &inputs.all(own),
                    &inputs.used(own),
                    (plan.stages & kTrain) ? inputs.replay(own) : nullptr,
                    &inputs.eval,
                    needs_rewrites(variant) ? distill_folder(recipe, variant) : "",
                    {}});
  }
  return jobs;
}

// The day that the chat template's clock shows is the one on which the run began.
Recipe dated(Recipe recipe) {
  std::error_code none;
  const fs::path kept = fs::path(recipe.output_dir) / "recipe.yaml";
  if (recipe.date.empty() && fs::exists(kept, none)) recipe.date = read_date(kept);
  if (recipe.date.empty()) recipe.date = today();
  return recipe;
}

Json file_note(const Dataset& set) {
  return {{"path", set.path.string()}, {"sha256", set.sha256}, {"examples", set.examples.size()}};
}

// DIR/provenance.json; what this call does not use stays as it was.
void keep_provenance(const RunContext& run, const Inputs& inputs, const fs::path& dir) {
  const fs::path path = dir / "provenance.json";
  std::error_code none;
  Json json = fs::exists(path, none) ? read_json(path) : Json::object();
  json["model"] = {{"path", run.recipe.model_name_or_path},
                   {"architecture", run.bundle.config.architecture},
                   {"parameters", run.bundle.config.parameters()}};
  if (!inputs.datasets.empty()) {
    json["datasets"] = Json::array();
    json["skipped"] = Json::array();
    std::set<std::string> paths;  // variants may read a file each in their own way
    auto note = [&](const Dataset& dataset) {
      if (!paths.insert(dataset.path.string()).second) return;
      json["datasets"].push_back(file_note(dataset));
      for (const SkippedRecord& record : dataset.skipped)
        json["skipped"].push_back({{"where", record.where}, {"reason", record.reason}});
    };
    for (const auto& [key, data] : inputs.datasets) note(data->dataset);
    for (const auto& [key, dataset] : inputs.replays) note(dataset);
  }
  if (!inputs.eval.empty()) {
    json["eval"] = Json::array();
    for (size_t i = 0; i < inputs.eval.size(); ++i) {
      json["eval"].push_back({{"name", run.recipe.eval[i].name}});
      json["eval"].back().update(file_note(inputs.eval[i].dataset));
    }
  }
  json["device"] = resolve_device(run.recipe.device).str();
  json["threads"] = at::get_num_threads();
  json["libtorch"] = kTorchVersion;
  json["sdft"] = SDFT_VERSION;
  write_json(path, json);
}

// The recipes whose inputs a call needs.
std::vector<WantedRecipe> wanted_recipes(const Recipe& recipe, const Plan& plan) {
  std::vector<WantedRecipe> wanted;
  for (const Variant& variant : plan.variants)
    wanted.push_back({recipe_of(recipe, variant), (plan.stages & kDistill) && needs_rewrites(variant),
                      (plan.stages & kTrain) && find_method(variant.method).on_policy});
  if (wanted.empty()) wanted.push_back({recipe, false, false});
  return wanted;
}

// How long a part took goes to DIR/timings.tsv, a line a call; what took no time was there already.
template <typename Work>
void timed(const RunContext& run, const std::string& part, Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (seconds > 0.05) LineWriter(run.dir() / "timings.tsv").write(fmt::format("{}\t{:.2f}", part, seconds));
}

std::vector<Example> learned_targets(const RunContext& run, const VariantJob& job) {
  const TargetOptions options{job.recipe.seed, job.recipe.distilled_fraction, job.recipe.fallback == "drop"};
  std::vector<Example> targets =
      find_method(job.variant.method).targets(job.used->dataset, run.dir() / job.distill, options);
  if (!replays(job.recipe)) return targets;
  if (!job.replayed.empty())
    return with_replay(std::move(targets), read_dataset(job.replayed / "replay.jsonl").examples);
  const size_t count = replay_count(targets.size(), job.recipe.replay_fraction);
  return with_replay(std::move(targets), drawn_replay(*job.replay, count, job.recipe.seed));
}

// Whether what the training learns is there already.
bool targets_known(const RunContext& run, const VariantJob& job) {
  return (job.distill.empty() || stage_done(run.dir() / job.distill)) &&
         (job.replayed.empty() || stage_done(job.replayed));
}

bool trains(const VariantJob& job) { return find_method(job.variant.method).change == Change::kNone; }

// What the trainings will take. Where rewrites or replayed answers are not there yet, the dataset's own stand
// in.
std::string foretold(const RunContext& run, const std::vector<VariantJob>& jobs) {
  std::string text;
  for (const VariantJob& job : jobs) {
    if (!trains(job)) {
      text += job.variant.name + ": nothing is trained\n";
      continue;
    }
    const bool known = targets_known(run, job);
    TrainingPlan plan =
        plan_training(run, job, known ? learned_targets(run, job) : job.used->dataset.examples);
    if (!known)
      plan.remarks.emplace_back("what it learns is not written yet: counted with the dataset's own answers");
    text += describe(plan, job.variant.name);
  }
  return text;
}

// What does not fit into `memory` is refused before anything is made, as far as it is known.
void check_budgets(const RunContext& run, const std::vector<VariantJob>& jobs) {
  for (const VariantJob& job : jobs)
    if (!job.recipe.memory.empty() && trains(job) && targets_known(run, job))
      plan_training(run, job, learned_targets(run, job));
}

// Refuses the first stage that does not fit before anything is made: not after hours, when its turn comes.
// What depends on a stage that is not done yet cannot be known.
void check_folders(const RunContext& run, const Plan& plan, const std::vector<VariantJob>& jobs,
                   const std::vector<EvalSet>& eval) {
  if (run.fresh) return;
  auto check = [](const fs::path& dir, const Fingerprint& now) {
    const auto differences = stage_differences(dir, now);
    if (!differences.empty()) fail_stage(dir, differences);
  };
  for (const VariantJob& job : jobs) {
    if (!job.variant.after.empty() && !stage_done(job.after(run))) continue;
    const bool rewrites = !job.distill.empty();
    if (rewrites && ((plan.stages & kDistill) || stage_done(run.dir() / job.distill)))
      check(run.dir() / job.distill, distill_fingerprint(run, job));
    if ((plan.stages & kTrain) && !trains(job))
      check(run.dir() / job.variant.name, change_fingerprint(run, job));
    else if ((plan.stages & kTrain) && targets_known(run, job))
      check(run.dir() / job.variant.name, train_fingerprint(run, job, learned_targets(run, job)));
  }
  for (const std::string& variant : plan.eval) {
    const Fingerprint trained = trained_fingerprint(variant_dir(run.recipe, variant));
    for (size_t i = 0; i < eval.size(); ++i) {
      const TaskSettings& task = run.recipe.eval[i];
      check(eval_dir(run.dir(), variant, task.name), eval_fingerprint(run, trained, task, eval[i]));
    }
  }
}

std::string distilled_line(const fs::path& dir) {
  const DistillSummary summary = read_summary(dir / "summary.json");
  return fmt::format("{} of {} rewrites accepted: {}\n", summary.accepted, summary.answers,
                     (dir / "distilled.jsonl").string());
}

std::string trained_line(const fs::path& dir) {
  std::error_code none;
  const std::string kind = fs::exists(dir / "adapter", none) ? "adapter" : "model";
  return kind + ": " + (dir / kind).string() + "\n";
}

// What became of the variants: a line a result, and what went wrong with which.
struct Made {
  std::string said;
  Failures failed;
  Problems problems;
};

// Rewrites and trains, variant by variant, since one may go on from another. One that fails (nothing
// accepted, a training that diverges) does not keep the others from being made, but those that go on from it.
Made make_variants(RunContext& run, const Plan& plan, const std::vector<VariantJob>& jobs) {
  Made made;
  std::set<std::string> distilled;
  std::vector<std::string> tried;
  for (const VariantJob& job : jobs) {
    const std::string& name = job.variant.name;
    tried.push_back(name);
    try {
      if (made.failed.count(job.variant.after))
        fail_input("'" + job.variant.after + "', which it goes on from", "was not made");
      if ((plan.stages & kDistill) && !job.distill.empty()) {
        timed(run, job.distill, [&] { distill_stage(run, job); });
        if (distilled.insert(job.distill).second) made.said += distilled_line(run.dir() / job.distill);
      }
      if (!(plan.stages & kTrain)) continue;
      if (trains(job) && !job.replayed.empty()) timed(run, "replay " + name, [&] { replay_stage(run, job); });
      timed(run, name, [&] {
        if (trains(job))
          train_stage(run, job, learned_targets(run, job));
        else
          change_stage(run, job);
      });
      made.said += trained_line(run.dir() / name);
    } catch (const Error& error) {
      if (error.code() == ExitCode::kInterrupted || jobs.size() == 1) throw;
      spdlog::error("{}: {}", name, error.what());
      made.failed.emplace(name, error.what());
      made.problems.add(name + ": " + error.what(), error.code());
    }
  }
  write_failures(run.dir(), tried, made.failed);
  if (made.failed.size() == jobs.size()) made.problems.raise();
  return made;
}
}  // namespace

std::string run_recipe(const Recipe& given, unsigned wanted, const RunOptions& options) {
  const Recipe recipe = with_kinds(dated(given));
  if (wanted == kEval && !recipe.endpoint.empty()) return evaluate_endpoint(recipe, options);
  const fs::path dir = recipe.output_dir;
  if (wanted == kEval && recipe.eval.empty())
    fail_usage("the recipe has no `eval` tasks", "eval: [{name: ..., dataset: ..., check: ...}]");
  if (!options.variant.empty()) find_variant(recipe, options.variant);
  RunContext run(recipe);
  run.stop = options.stop;
  run.progress = {options.progress, dir / "progress.json"};
  run.fresh = options.fresh;
  const Plan plan = plan_of(recipe, wanted, options.variant);
  const Inputs inputs = validate(run, wanted, wanted_recipes(recipe, plan));
  run.seed = seed_fingerprint(run);
  std::vector<VariantJob> jobs = jobs_of(recipe, plan, inputs);
  if (plan.stages & kTrain)
    for (VariantJob& job : jobs) job.replayed = replay_folder(run, job);
  if (options.dry_run) {
    check_folders(run, plan, jobs, inputs.eval);
    return foretold(run, jobs);
  }
  if (plan.stages & kTrain) check_budgets(run, jobs);
  make_directories(dir);
  const FolderLock lock(dir);
  check_folders(run, plan, jobs, inputs.eval);
  std::error_code none;
  fs::remove(dir / "DONE", none);
  fs::remove(run.progress.file, none);  // of a killed call
  write_file_atomic(dir / "recipe.yaml", resolved_recipe(recipe));
  keep_provenance(run, inputs, dir);

  const Made made = make_variants(run, plan, jobs);
  std::vector<std::string> made_models;
  for (const std::string& variant : plan.eval)
    if (!made.failed.count(variant)) made_models.push_back(variant);
  timed(run, "eval", [&] { eval_stage(run, made_models, inputs.eval); });
  if ((wanted & kEval) && recipe.embedding_model != "none") {
    timed(run, "similarity", [&] {
      similarity_stage(run, recipe.embedding_model == "seed" ? "" : recipe.embedding_model, made_models);
    });
  }
  const std::string report = wanted == kAllStages ? report_run(recipe, dir) : "";
  made.problems.raise();  // the others are made, evaluated and in the report
  if (wanted == kEval) return write_results(recipe, dir, plan.eval);
  if (wanted != kAllStages) return made.said;
  end_stage(dir);
  return report;
}

std::string report_run(const Recipe& recipe, const fs::path& dir) {
  const std::string report = report_stage(recipe, dir);
  if (is_sweep(recipe)) return sweep_stage(recipe, dir);
  std::error_code none;
  for (const char* page : {"sweep.json", "sweep.md", "sweep.html"})
    fs::remove(dir / page, none);  // of before
  return report;
}

}  // namespace sdft
