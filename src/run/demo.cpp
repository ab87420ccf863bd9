#include "run/demo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "eval/sandbox.h"
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
  auto runs_programs = [](const TaskSettings& task) { return task.check == "program"; };
  if (std::none_of(recipe->eval.begin(), recipe->eval.end(), runs_programs)) return;
  try {
    run_python({"pass"});
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
constexpr const char* kModels[] = {"seed", "vanilla", "sdft"};

// Per task and model, one value a seed.
struct Row {
  std::string name, kind;
  std::vector<double> values[3];
};

std::vector<Row> collect(const std::vector<report::Document>& documents) {
  std::vector<Row> rows;
  for (const report::Document& document : documents) {
    size_t index = 0;
    for (const report::Task& task : document.evaluation->tasks) {
      if (index == rows.size()) rows.push_back({task.name, task.kind, {}});
      for (const report::Score& score : task.scores)
        for (size_t m = 0; m < 3; ++m)
          if (score.model == kModels[m]) rows[index].values[m].push_back(score.value);
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

// Seed's score minus the model's, averaged over the tasks of a kind, one value a seed.
std::vector<double> lost(const std::vector<Row>& rows, const std::string& kind, size_t model) {
  std::vector<double> mean;
  double tasks = 0;
  for (const Row& row : rows) {
    if (row.kind != kind) continue;
    ++tasks;
    mean.resize(row.values[0].size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += row.values[0][i] - row.values[model][i];
  }
  for (double& x : mean) x /= tasks;
  return mean;
}

std::string table(const std::vector<Row>& rows, size_t seeds) {
  std::string text = fmt::format("Mean over {} seeds, percent, with 95 % t intervals over seeds.\n\n", seeds);
  text += "| task | kind | seed model | vanilla | sdft |\n|---|---|---|---|---|\n";
  for (const Row& row : rows)
    text += fmt::format("| {} | {} | {} | {} | {} |\n", row.name, row.kind, cell(row.values[0]),
                        cell(row.values[1]), cell(row.values[2]));
  for (const char* kind : {"retained", "safety"})
    text += fmt::format("| **lost, mean of {}** | | | {} | {} |\n", kind, cell(lost(rows, kind, 1)),
                        cell(lost(rows, kind, 2)));
  std::vector<double> gain;
  for (const Row& row : rows)
    if (row.kind == "target")
      for (size_t i = 0; i < row.values[1].size(); ++i) gain.push_back(row.values[2][i] - row.values[1][i]);
  if (!gain.empty()) text += fmt::format("| **target, sdft − vanilla** | | | | {} |\n", cell(gain));
  return text;
}
}  // namespace

std::string run_seeds(const Recipe& recipe, int64_t count, const RunOptions& options) {
  std::vector<report::Document> documents;
  for (int64_t seed = 1; seed <= count; ++seed) {
    Recipe one = recipe;
    one.seed = static_cast<uint64_t>(seed);
    one.baseline = true;
    one.output_dir = (fs::path(recipe.output_dir) / fmt::format("seed-{}", seed)).string();
    run_recipe(one, kAllStages, options);
    documents.push_back(report::read_document(fs::path(one.output_dir) / "report.json"));
    if (!documents.back().evaluation) fail_usage("the recipe has no `eval` tasks");
  }
  const std::string text = table(collect(documents), documents.size());
  write_file_atomic(fs::path(recipe.output_dir) / "seeds.md", text);
  return text;
}

}  // namespace sdft
