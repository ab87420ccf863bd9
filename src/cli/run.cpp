// run, and its stages one by one: distill, train, eval, report.
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "run/stages.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
// What the stage commands share: a session, the dataset, the run directory.
struct Opened {
  std::unique_ptr<Session> session;
  Dataset dataset;
  fs::path dir;
};

Opened open(const Recipe& recipe) {
  Opened opened;
  opened.session = open_session(recipe);
  opened.session->stop = &interrupted;
  opened.dataset =
      open_dataset(recipe, recipe.dataset, recipe.columns, static_cast<size_t>(recipe.max_samples), true);
  opened.dir = recipe.output_dir;
  return opened;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void run(const RecipeFlags& flags) {
  const Recipe recipe = flags.read();
  print(run_all(recipe, &interrupted, true));
  print("\nreport: " + (fs::path(recipe.output_dir) / "report.html").string() + "\n");
}

void distill(const RecipeFlags& flags) {
  Opened o = open(flags.read());
  const auto distilled = distill_stage(*o.session, o.dataset, o.dir);
  size_t accepted = 0;
  for (const auto& d : distilled) accepted += d.accepted;
  print(std::to_string(accepted) + " of " + std::to_string(distilled.size()) +
        " rewrites accepted: " + (o.dir / "distilled.jsonl").string() + "\n");
}

void train(const RecipeFlags& flags) {
  Opened o = open(flags.read());
  train_stage(*o.session, "train", o.dataset, o.dir);
  const bool lora = o.session->recipe.train.finetuning_type == "lora";
  print((lora ? "adapter: " : "model: ") + (o.dir / (lora ? "adapter" : "model")).string() + "\n");
}

void eval(const RecipeFlags& flags) {
  const Recipe recipe = flags.read();
  if (recipe.eval.empty())
    fail_usage("the recipe has no `eval` tasks", "eval: [{name: ..., dataset: ..., check: ...}]");
  auto session = open_session(recipe);
  session->stop = &interrupted;
  fs::path variant;
  if (!recipe.adapter_name_or_path.empty()) {
    variant = fs::path(recipe.adapter_name_or_path).lexically_normal();
    if (!variant.has_filename()) variant = variant.parent_path();
    if (variant.filename() != "adapter")
      fail_usage("adapter_name_or_path must be a run's folder `adapter`", recipe.adapter_name_or_path);
    variant = variant.parent_path();
  }
  eval_stage(*session, "eval", variant, recipe.output_dir);
  const Json scores = read_json(fs::path(recipe.output_dir) / "scores.json");
  for (const auto& [task, values] : scores.items()) {
    size_t right = 0;
    for (const Json& value : values) right += value.get<int>();
    std::printf("%-24s %zu / %zu\n", task.c_str(), right, values.size());
  }
}

void report(const RecipeFlags& flags) {
  RecipeFlags own = flags;
  const Recipe given = flags.read();
  const fs::path kept = fs::path(given.output_dir) / "recipe.yaml";
  if (!fs::exists(kept)) fail_input(given.output_dir, "is no run directory: recipe.yaml is missing");
  own.file = kept.string();
  print(report_stage(own.read(), given.output_dir));
}

void add_one(const Registry& registry, const std::string& name, const std::string& help,
             const std::string& examples, void (*action)(const RecipeFlags&)) {
  auto flags = std::make_shared<RecipeFlags>();
  add_recipe_flags(registry.add(name, help, examples, [flags, action] { action(*flags); }), flags.get());
}
}  // namespace

void add_run(const Registry& registry) {
  add_one(registry, "run", "distill, train, evaluate and report from one recipe",
          "  sdft run --recipe examples/openfunctions.yaml\n"
          "  sdft run --recipe examples/openfunctions.yaml output_dir=runs/two seed=2 baseline=true",
          run);
  add_one(
      registry, "distill", "the seed model rewrites the dataset's answers",
      "  sdft distill --model_name_or_path MODEL --dataset train.jsonl --output_dir out answer_check=number",
      distill);
  add_one(
      registry, "train", "LoRA or full fine-tuning on a dataset",
      "  sdft train --model_name_or_path MODEL --dataset out/distilled.jsonl --output_dir tuned lora_rank=16",
      train);
  add_one(registry, "eval", "answers and scores of the recipe's evaluation tasks",
          "  sdft eval --recipe r.yaml --adapter_name_or_path runs/one/sdft/adapter --output_dir scores",
          eval);
  add_one(registry, "report", "writes the report of a run directory again",
          "  sdft report --output_dir runs/one", report);
}

}  // namespace sdft::cli
