#include "run/demo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "check/check.h"
#include "eval/statistics.h"
#include "report/report.h"

namespace sdft {
namespace fs = std::filesystem;

fs::path assets_dir() {
  std::vector<fs::path> places;
  if (const char* given = std::getenv("SDFT_ASSETS")) places.emplace_back(given);
  std::error_code ignored;
  const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  if (!executable.empty()) {
    places.push_back(executable.parent_path().parent_path() / "assets");
    places.push_back(executable.parent_path().parent_path() / "share" / "sdft");
  }
  places.emplace_back(SDFT_ASSETS_DIR);
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place / "demo.yaml")) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail_input("demo", "cannot find the shipped model and data; tried " + tried,
             "set SDFT_ASSETS to the folder with demo.yaml");
}

namespace {
// Containers often forbid the sandbox that generated programs need; the demo goes on without these tasks and
// says so.
void leave_out_programs(Recipe* recipe) {
  auto runs_programs = [](const TaskSettings& task) {
    return (find_check(task.check, kTaskCheck).needs & kNeedsSandbox) != 0;
  };
  if (std::none_of(recipe->eval.begin(), recipe->eval.end(), runs_programs)) return;
  try {
    require_sandbox();
  } catch (const Error& error) {
    recipe->eval.erase(std::remove_if(recipe->eval.begin(), recipe->eval.end(), runs_programs),
                       recipe->eval.end());
    spdlog::warn("the demo leaves out its task of running programs: {}", error.what());
  }
}
}  // namespace

Recipe demo_recipe(const std::vector<std::string>& overrides) {
  const fs::path assets = assets_dir();
  Recipe recipe = read_recipe(assets / "demo.yaml", overrides);
  auto resolve = [&](std::string& path) {
    const fs::path inside = assets / path;
    if (!path.empty() && fs::path(path).is_relative() && fs::exists(inside))
      path = inside.lexically_normal().string();
  };
  resolve(recipe.model_name_or_path);
  resolve(recipe.dataset);
  for (TaskSettings& task : recipe.eval) resolve(task.dataset);
  leave_out_programs(&recipe);
  return recipe;
}

namespace {
// Per task, and by model one value a seed.
struct Row {
  std::string name, kind;
  std::map<std::string, std::vector<double>> values;
};

std::vector<Row> collect(const std::vector<report::Document>& documents) {
  std::vector<Row> rows;
  for (const report::Document& document : documents) {
    size_t index = 0;
    for (const report::Task& task : document.evaluation->tasks) {
      if (index == rows.size()) rows.push_back({task.name, task.kind, {}});
      for (const report::Score& score : task.scores) rows[index].values[score.model].push_back(score.value);
      ++index;
    }
  }
  return rows;
}

std::string cell(const std::vector<double>& values) {
  const Estimate e = mean_over_seeds(values);
  if (std::isnan(e.low)) return fmt::format("{:.1f}", 100 * e.value);
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * e.value, 100 * e.low, 100 * e.high);
}

std::vector<double> minus(const Row& row, const std::string& a, const std::string& b) {
  std::vector<double> differences = row.values.at(a);
  for (size_t i = 0; i < differences.size(); ++i) differences[i] -= row.values.at(b)[i];
  return differences;
}

// Seed's score minus the model's, averaged over the tasks of a kind, one value a seed.
std::vector<double> lost(const std::vector<Row>& rows, const std::string& kind, const std::string& model) {
  std::vector<double> mean;
  double tasks = 0;
  for (const Row& row : rows) {
    if (row.kind != kind) continue;
    ++tasks;
    const std::vector<double> one = minus(row, "seed", model);
    mean.resize(one.size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += one[i];
  }
  for (double& x : mean) x /= tasks;
  return mean;
}

std::string line_of(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& text : cells) line += text.empty() ? "| " : "| " + text + " ";
  return line + "|\n";
}

// first: a document, for the models and the baseline.
std::string table(const std::vector<Row>& rows, size_t seeds, const report::Document& first) {
  const std::vector<std::string>& models = first.evaluation->models;
  std::vector<std::string> titles = {"task", "kind"};
  for (const std::string& model : models) titles.push_back(model == "seed" ? "seed model" : model);
  std::string text = fmt::format("Mean over {} seeds, percent, with 95 % t intervals over seeds.\n\n", seeds);
  text += line_of(titles) + "|";
  for (size_t i = 0; i < titles.size(); ++i) text += "---|";
  text += "\n";
  // A row with a text for each model, and what it says; none: an empty cell.
  auto add = [&](const std::string& name, const std::string& kind, auto text_of) {
    std::vector<std::string> cells = {name, kind};
    for (const std::string& model : models) cells.push_back(text_of(model));
    text += line_of(cells);
  };
  for (const Row& row : rows)
    add(row.name, row.kind, [&](const std::string& model) { return cell(row.values.at(model)); });
  for (const char* kind : {"retained", "safety"})
    add(fmt::format("**lost, mean of {}**", kind), "",
        [&](const std::string& model) { return model == "seed" ? "" : cell(lost(rows, kind, model)); });
  for (const std::string& tuned : models) {
    if (tuned == "seed" || tuned == first.baseline || first.baseline.empty()) continue;
    std::vector<double> gain;
    for (const Row& row : rows)
      if (row.kind == "target")
        for (const double difference : minus(row, tuned, first.baseline)) gain.push_back(difference);
    if (!gain.empty())
      add(fmt::format("**target, {} − {}**", tuned, first.baseline), "",
          [&](const std::string& model) { return model == tuned ? cell(gain) : ""; });
  }
  return text;
}
}  // namespace

std::string run_seeds(const Recipe& recipe, int64_t count, const RunOptions& options) {
  std::vector<report::Document> documents;
  for (int64_t seed = 1; seed <= count; ++seed) {
    Recipe one = recipe;
    one.seed = static_cast<uint64_t>(seed);
    one.baseline = one.variants.empty();
    one.output_dir = (fs::path(recipe.output_dir) / fmt::format("seed-{}", seed)).string();
    run_recipe(one, kAllStages, options);
    documents.push_back(report::read_document(fs::path(one.output_dir) / "report.json"));
    if (!documents.back().evaluation) fail_usage("the recipe has no `eval` tasks");
  }
  const std::string text = table(collect(documents), documents.size(), documents.front());
  write_file_atomic(fs::path(recipe.output_dir) / "seeds.md", text);
  return text;
}

}  // namespace sdft
