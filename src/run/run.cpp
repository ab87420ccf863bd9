#include "run/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "run/results.h"
#include "run/stages.h"
#include "run/validate.h"
#include "run/variants.h"
#include "sdft/method.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What the stages of a call will make.
struct Plan {
  unsigned stages;
  std::vector<Variant> train;
  std::vector<std::string> eval;  // "seed" and names of variants
};

bool needs_rewrites(const Variant& variant) { return find_method(variant.method).rewrites; }

// Whether this call has rewrites to train on, or will have made them by then.
bool has_rewrites(const fs::path& dir, unsigned stages) {
  return (stages & kDistill) || stage_done(dir / "distill");
}

std::vector<Variant> variants_to_train(const Recipe& recipe, unsigned stages, const std::string& name) {
  const fs::path dir = recipe.output_dir;
  std::vector<Variant> list = wanted_variants(recipe);
  if (!name.empty()) list = {find_variant(recipe, name)};
  if (has_rewrites(dir, stages) || std::none_of(list.begin(), list.end(), needs_rewrites)) return list;
  std::vector<Variant> plain = known_variants(recipe);
  plain.erase(std::remove_if(plain.begin(), plain.end(), needs_rewrites), plain.end());
  if (!name.empty() || plain.empty())
    fail_input(dir.string(), "has no finished rewrites to train on",
               "run sdft distill with this output_dir first");
  std::error_code none;
  if (fs::exists(dir / "distill", none))
    fail_input((dir / "distill").string(), "is not finished",
               "sdft distill goes on with it; --variant " + plain[0].name + " trains without rewrites");
  spdlog::info("{} has no rewrites (sdft distill makes them): training on the dataset's own answers",
               dir.string());
  return plain;
}

Plan plan_of(const Recipe& recipe, unsigned stages, const std::string& variant) {
  Plan plan{stages, {}, {}};
  if (stages & kTrain) plan.train = variants_to_train(recipe, stages, variant);
  if (!(stages & kEval)) return plan;
  plan.eval = {"seed"};
  if (stages & kTrain) {
    for (const Variant& trained : plan.train) plan.eval.push_back(trained.name);
  } else {
    for (const Variant& known : known_variants(recipe))
      if (stage_done(fs::path(recipe.output_dir) / known.name)) plan.eval.push_back(known.name);
  }
  return plan;
}

// A whole run rewrites nothing where no variant learns from rewrites.
unsigned needed_stages(const Recipe& recipe, unsigned stages) {
  const std::vector<Variant> wanted = wanted_variants(recipe);
  const bool rewrites = std::any_of(wanted.begin(), wanted.end(), needs_rewrites);
  return stages == kAllStages && !rewrites ? stages & ~kDistill : stages;
}

// The day that the chat template's clock shows is the one on which the run began.
Recipe dated(Recipe recipe) {
  std::error_code none;
  const fs::path kept = fs::path(recipe.output_dir) / "recipe.yaml";
  if (recipe.date.empty() && fs::exists(kept, none)) recipe.date = read_recipe(kept, {}).date;
  if (recipe.date.empty()) recipe.date = today();
  return recipe;
}

Json file_note(const Dataset& set) {
  return {{"path", set.path.string()}, {"sha256", set.sha256}, {"examples", set.examples.size()}};
}

// DIR/provenance.json; what this call does not use stays as it was.
void keep_provenance(const RunContext& run, const Inputs& inputs, unsigned stages, const fs::path& dir) {
  const fs::path path = dir / "provenance.json";
  std::error_code none;
  Json json = fs::exists(path, none) ? read_json(path) : Json::object();
  json["model"] = {{"path", run.recipe.model_name_or_path},
                   {"architecture", run.bundle.config.architecture},
                   {"parameters", run.bundle.config.parameters()}};
  if (stages & (kDistill | kTrain)) {
    json["dataset"] = file_note(inputs.train);
    if (!inputs.replay.examples.empty()) json["replay_dataset"] = file_note(inputs.replay);
    json["skipped"] = Json::array();
    for (const SkippedRecord& record : inputs.train.skipped)
      json["skipped"].push_back({{"where", record.where}, {"reason", record.reason}});
  }
  if (stages & kEval) {
    json["eval"] = Json::array();
    for (size_t i = 0; i < inputs.eval.size(); ++i) {
      json["eval"].push_back({{"name", run.recipe.eval[i].name}});
      json["eval"].back().update(file_note(inputs.eval[i]));
    }
  }
  json["device"] = resolve_device(run.recipe.device).str();
  json["threads"] = at::get_num_threads();
  json["libtorch"] = kTorchVersion;
  json["sdft"] = SDFT_VERSION;
  write_note(path, json);
}

std::vector<Example> targets_of(const RunContext& run, const Variant& variant, const Inputs& inputs) {
  std::vector<Example> targets = find_method(variant.method).targets(inputs.train, run.dir() / "distill");
  if (run.recipe.replay_dataset.empty()) return targets;
  return with_replay(std::move(targets), inputs.replay, run.recipe.replay_fraction, run.recipe.seed);
}

// Refuses the first stage that does not fit before anything is made: not after hours, when its turn comes.
void check_folders(const RunContext& run, const Plan& plan, const Inputs& inputs) {
  if (run.fresh) return;
  auto check = [](const fs::path& dir, const Fingerprint& now) {
    const auto differences = stage_differences(dir, now);
    if (!differences.empty()) fail_stage(dir, differences);
  };
  if (plan.stages & kDistill) check(run.dir() / "distill", distill_fingerprint(run, inputs.train.examples));
  for (const Variant& variant : plan.train)
    if (!needs_rewrites(variant) || stage_done(run.dir() / "distill"))
      check(run.dir() / variant.name, train_fingerprint(run, targets_of(run, variant, inputs)));
  for (const std::string& variant : plan.eval) {
    const Fingerprint trained = trained_fingerprint(run.dir(), variant);
    for (size_t i = 0; i < inputs.eval.size(); ++i) {
      const TaskSettings& task = run.recipe.eval[i];
      check(eval_dir(run.dir(), variant, task.name),
            eval_fingerprint(run, trained, task, inputs.eval[i].examples));
    }
  }
}

std::string distilled_line(const std::vector<DistilledExample>& distilled, const fs::path& dir) {
  size_t accepted = 0;
  for (const auto& d : distilled) accepted += d.accepted;
  return fmt::format("{} of {} rewrites accepted: {}\n", accepted, distilled.size(),
                     (dir / "distill" / "distilled.jsonl").string());
}

std::string trained_line(const Recipe& recipe, const fs::path& dir) {
  const bool lora = recipe.train.finetuning_type == "lora";
  return (lora ? "adapter: " : "model: ") + (dir / (lora ? "adapter" : "model")).string() + "\n";
}
}  // namespace

std::string run_recipe(const Recipe& given, unsigned wanted, const RunOptions& options) {
  const Recipe recipe = dated(given);
  const unsigned stages = needed_stages(recipe, wanted);
  const fs::path dir = recipe.output_dir;
  if (stages == kEval && recipe.eval.empty())
    fail_usage("the recipe has no `eval` tasks", "eval: [{name: ..., dataset: ..., check: ...}]");
  if (!options.variant.empty()) find_variant(recipe, options.variant);
  RunContext run(recipe);
  run.stop = options.stop;
  run.progress = options.progress;
  run.fresh = options.fresh;
  const Inputs inputs = validate(run, stages);
  const Plan plan = plan_of(recipe, stages, options.variant);
  run.seed = seed_fingerprint(run);
  make_directories(dir);
  const FolderLock lock(dir);
  check_folders(run, plan, inputs);
  std::error_code none;
  fs::remove(dir / "DONE", none);
  write_file_atomic(dir / "recipe.yaml", resolved_recipe(recipe));
  keep_provenance(run, inputs, stages, dir);

  std::string said;
  if (stages & kDistill) said += distilled_line(distill_stage(run, inputs.train), dir);
  for (const Variant& variant : plan.train) {
    train_stage(run, variant.name, targets_of(run, variant, inputs));
    said += trained_line(recipe, dir / variant.name);
  }
  for (const std::string& variant : plan.eval) eval_stage(run, variant, inputs.eval);
  if (stages == kEval) return results_table(recipe, dir, plan.eval);
  if (wanted != kAllStages) return said;
  const std::string report = report_stage(recipe, dir);
  end_stage(dir);
  return report;
}

}  // namespace sdft
