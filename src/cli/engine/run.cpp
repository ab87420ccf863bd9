// run, and its stages one by one: distill, train, eval, report.
#include "run/run.h"

#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "cli/engine/commands.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "report/compare.h"
#include "run/eval_set.h"
#include "run/evaluation.h"
#include "run/variants.h"
#include "task/task.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
struct StageFlags {
  RecipeFlags recipe;
  RunOptions options;
  SweepFlags sweep;
};

void run(StageFlags flags, unsigned stages) {
  for (const std::string& override : flags.sweep.overrides()) flags.recipe.words.push_back(override);
  const Recipe recipe = flags.recipe.read();
  if (flags.sweep.required && !is_sweep(recipe))
    fail_usage("the recipe has nothing to sweep over",
               "--over KEY=VALUE,VALUE, --seeds N, or `sweep: {KEY: [VALUE, ...]}` in the recipe");
  flags.options.stop = &interrupted;
  if (stages == kAllStages && !flags.options.dry_run) return run_all(recipe, flags.options);
  write_out(run_recipe(recipe, stages, flags.options));
}

// eval without a recipe: tasks by name, in the harness's words.
struct TaskFlags {
  std::vector<std::string> tasks;
  int64_t limit = 0, num_fewshot = -1, num_samples = 0;
  double temperature = 0.8;
  bool apply_chat_template = false, truncate = false, list = false;
  std::vector<std::string> compare;

  // "eval=[...]", in place of the recipe's own tasks.
  std::string setting() const {
    Json list_of_tasks = Json::array();
    for (const std::string& task : tasks) {
      Json one = {{"task", task}};
      if (limit > 0) one["max_samples"] = limit;
      if (num_fewshot >= 0) one["num_fewshot"] = num_fewshot;
      if (apply_chat_template) one["template"] = "chat";
      if (truncate) one["truncate"] = true;
      if (num_samples > 0) one["num_samples"] = num_samples;
      if (num_samples > 0) one["temperature"] = temperature;
      list_of_tasks.push_back(std::move(one));
    }
    return "eval=" + to_line(list_of_tasks);
  }
};

void list_all(const Recipe& recipe) {
  for (const TaskEntry& entry : list_tasks(task_places(recipe)))
    write_out(fmt::format("{:<28} {}{}\n", entry.name, entry.group ? "(several) " : "", entry.file.string()));
}

void evaluate(StageFlags flags, const TaskFlags& tasks) {
  if (tasks.list) return list_all(flags.recipe.read());
  if (!tasks.compare.empty()) return write_out(compare_evaluations(tasks.compare[0], tasks.compare[1]));
  if (!tasks.tasks.empty()) flags.recipe.words.push_back(tasks.setting());
  run(std::move(flags), kEval);
}

void add_eval(const Registry& registry) {
  auto flags = std::make_shared<StageFlags>();
  auto tasks = std::make_shared<TaskFlags>();
  CLI::App* command = registry.add(
      "eval",
      "  sdft eval --recipe r.yaml\n"
      "  sdft eval --model_name_or_path MODEL --tasks arc_easy,gsm8k --limit 100 --output_dir scores\n"
      "  sdft eval --model_name_or_path MODEL --tasks mmlu --adapters runs/one/sdft,runs/two/sdft "
      "--output_dir scores\n"
      "  sdft eval --compare runs/one:sdft runs/two:sdft\n"
      "  sdft eval --list",
      [flags, tasks] { evaluate(*flags, *tasks); });
  command->add_flag("--fresh", flags->options.fresh,
                    "make anew what output_dir holds of other settings, data or models (else it is refused)");
  CLI::Option* named =
      command
          ->add_option(
              "--tasks", tasks->tasks,
              "names of tasks or groups, or task files (YAML, as lm-evaluation-harness has them), in place "
              "of the recipe's")
          ->delimiter(',')
          ->type_name("A,B");
  command->add_option("--limit", tasks->limit, "the first so many items of each task; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->needs(named);
  command
      ->add_option("--num_fewshot,--num-fewshot", tasks->num_fewshot,
                   "examples in front of each question, in place of the task's own number")
      ->check(CLI::Range(0, 1000))
      ->needs(named);
  command
      ->add_option(
          "--num_samples,--num-samples", tasks->num_samples,
          "so many answers to each question, sampled with --sampling_temperature: pass@1 and pass@k of tasks "
          "that a check judges")
      ->check(CLI::Range(1, 10000))
      ->needs(named);
  command->add_option("--sampling_temperature,--sampling-temperature", tasks->temperature, "of --num_samples")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(named);
  command
      ->add_flag("--apply_chat_template,--apply-chat-template", tasks->apply_chat_template,
                 "ask through the model's chat template, also where a task asks in plain text")
      ->needs(named);
  command
      ->add_flag("--truncate", tasks->truncate,
                 "leave out the beginning of texts that are too long to score, as lm-evaluation-harness does")
      ->needs(named);
  command->add_flag("--list", tasks->list, "show all tasks");
  command
      ->add_option("--compare", tasks->compare,
                   "two evaluated directories, or DIR:MODEL of them, example by example")
      ->expected(2)
      ->type_name("A B");
  add_recipe_flags(command, &flags->recipe);
}

struct ReportFlags {
  RecipeFlags recipe;
  std::vector<std::string> compare;
  std::string output = "compare.html";
};

void compare_runs(const ReportFlags& flags) {
  const fs::path page = flags.output;
  const auto runs = report::read_compared_runs(flags.compare, page.parent_path());
  write_file_atomic(page,
                    page.extension() == ".md" ? report::compare_markdown(runs) : report::compare_html(runs));
  write_out(report::compare_terminal(runs, report::terminal_style(1)) + "\nreport: " + page.string() + "\n");
}

void write_report(const ReportFlags& flags) {
  if (!flags.compare.empty()) return compare_runs(flags);
  RecipeFlags own = flags.recipe;
  const Recipe given = own.read();
  const fs::path kept = fs::path(given.output_dir) / "recipe.yaml";
  std::error_code none;
  if (!fs::exists(kept, none)) fail_input(given.output_dir, "is no run directory: recipe.yaml is missing");
  own.file = kept.string();
  write_marked(report_run(own.read(), given.output_dir));  // which is clean
}

void add_report(const Registry& registry) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* command =
      registry.add("report",
                   "  sdft report --output_dir runs/one\n"
                   "  sdft report --compare runs/one runs/two runs/three --output compare.html",
                   [flags] { write_report(*flags); });
  CLI::Option* compare =
      command
          ->add_option(
              "--compare", flags->compare,
              "finished run directories, beside each other: what differs in them, what their models scored")
          ->type_name("RUN RUN ...");
  command
      ->add_option("--output", flags->output,
                   "the comparison's page; one that ends in .md is Markdown [compare.html]")
      ->type_name("FILE")
      ->needs(compare);
  add_recipe_flags(command, &flags->recipe);
}

std::shared_ptr<StageFlags> add_stage(const Registry& registry, const std::string& name,
                                      const std::string& examples, unsigned stages,
                                      CLI::App** added = nullptr) {
  auto flags = std::make_shared<StageFlags>();
  CLI::App* command = registry.add(name, examples, [flags, stages] { run(*flags, stages); });
  command->add_flag("--fresh", flags->options.fresh,
                    "make anew what output_dir holds of other settings, data or models (else it is refused)");
  if (stages & kTrain)
    command->add_flag("--dry-run,--dry_run", flags->options.dry_run,
                      "check everything and foretell each training's steps and memory; nothing is trained or "
                      "written");
  add_recipe_flags(command, &flags->recipe);
  if (added) *added = command;
  return flags;
}
}  // namespace

std::vector<std::string> SweepFlags::overrides() const {
  std::vector<std::string> settings = over, list;
  std::string all;
  for (int64_t seed = 1; seed <= seeds; ++seed) all += (seed > 1 ? "," : "") + std::to_string(seed);
  if (seeds > 0) settings.push_back("seed=" + all);
  std::set<std::string> keys;
  for (const std::string& setting : settings) {
    const std::string key = setting.substr(0, setting.find('='));
    if (key.empty() || key == setting)
      fail_usage("--over " + setting + ": expected KEY=VALUE,VALUE,...", "as in --over lora_rank=8,64");
    if (!keys.insert(key).second)
      fail_usage("--over: '" + key + "' is given twice",
                 "put all its values into one, as in --over seed=4,5");
    list.push_back("sweep." + setting);
  }
  return list;
}

void run_all(const Recipe& recipe, const RunOptions& options) {
  write_marked(run_recipe(recipe, kAllStages, options));  // the report, which is clean
  const fs::path report = fs::path(recipe.output_dir) / (is_sweep(recipe) ? "sweep.html" : "report.html");
  write_out("\nreport: " + report.string() + "\n");
}

void add_sweep_flags(CLI::App* command, SweepFlags* flags) {
  command->add_option("--seeds", flags->seeds, "the same as --over seed=1,2,...,N")
      ->type_name("N")
      ->check(CLI::Range(1, static_cast<int>(kMostVariants)));
  command
      ->add_option("--over", flags->over,
                   "train each variant once with every value of a setting, and tabulate the results; several "
                   "are combined, and runs that differ in their seed alone are a row")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
}

void add_run(const Registry& registry) {
  add_stage(registry, "run",
            "  sdft run --recipe examples/openfunctions.yaml\n"
            "  sdft run --recipe examples/openfunctions.yaml output_dir=runs/two seed=2 baseline=true",
            kAllStages);
  CLI::App* sweep = nullptr;
  auto sweep_flags =
      add_stage(registry, "sweep",
                "  sdft sweep --recipe examples/smollm2.yaml --seeds 3 --output_dir runs/seeds\n"
                "  sdft sweep --recipe r.yaml --over distilled_fraction=0,0.5,1 --seeds 3\n"
                "  sdft sweep --recipe r.yaml --over 'lora_target=[[q_proj, v_proj], [all-linear]]' "
                "--over lora_rank=8,64",
                kAllStages, &sweep);
  sweep_flags->sweep.required = true;
  add_sweep_flags(sweep, &sweep_flags->sweep);
  add_stage(registry, "distill",
            "  sdft distill --model_name_or_path MODEL --dataset train.jsonl --output_dir runs/one "
            "answer_check=number",
            kDistill);
  CLI::App* train = nullptr;
  auto flags =
      add_stage(registry, "train",
                "  sdft train --model_name_or_path MODEL --dataset train.jsonl --output_dir runs/one "
                "lora_rank=16\n"
                "  sdft train --recipe r.yaml --variant vanilla",
                kTrain, &train);
  train
      ->add_option(
          "--variant", flags->options.variant,
          "the variant to train: sdft, on the rewrites that distill made in output_dir; vanilla, on the "
          "dataset's own answers; or a name under the recipe's `variants`. Default: sdft (with baseline "
          "vanilla "
          "too) or all variants; where nothing was distilled, those that need no rewrites")
      ->type_name("");
  add_eval(registry);
  add_report(registry);
}

}  // namespace sdft::cli
