#include "run/seeds.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "eval/statistics.h"
#include "report/report.h"

namespace sdft {
namespace fs = std::filesystem;

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

// The seed model's score minus each model's, averaged over the tasks of a kind; no values where there are
// none.
Row lost(const std::vector<Row>& rows, const std::string& kind) {
  Row mean{"**lost, mean of " + kind + "**", "", {}};
  double tasks = 0;
  for (const Row& row : rows) {
    if (row.kind != kind) continue;
    ++tasks;
    for (const auto& item : row.values) {
      const std::vector<double> one = minus(row, "seed", item.first);
      std::vector<double>& sum = mean.values[item.first];
      sum.resize(one.size());
      for (size_t i = 0; i < one.size(); ++i) sum[i] += one[i];
    }
  }
  for (auto& item : mean.values)
    for (double& x : item.second) x /= tasks;
  return mean;
}

// first: a document, for the models and the baseline. A column each for the models, and for what the others
// have more than the baseline.
std::string table(std::vector<Row> rows, size_t seeds, const report::Document& first) {
  for (const char* kind : {"retained", "safety"})
    if (Row row = lost(rows, kind); !row.values.empty()) rows.push_back(std::move(row));
  std::vector<std::string> tuned;
  std::string text = fmt::format("Mean over {} seeds, percent, with 95 % t intervals over seeds.\n\n", seeds);
  std::string titles = "| task | kind |", line = "|---|---|";
  for (const std::string& model : first.evaluation->models) {
    titles += " " + (model == "seed" ? "seed model" : model) + " |";
    line += "---|";
    if (model != "seed" && model != first.baseline && !first.baseline.empty()) tuned.push_back(model);
  }
  for (const std::string& model : tuned) {
    titles += " " + model + " − " + first.baseline + " |";
    line += "---|";
  }
  text += titles + "\n" + line + "\n";
  for (const Row& row : rows) {
    text += "| " + row.name + " | " + row.kind + " |";
    for (const std::string& model : first.evaluation->models) text += " " + cell(row.values.at(model)) + " |";
    for (const std::string& model : tuned) text += " " + cell(minus(row, model, first.baseline)) + " |";
    text += "\n";
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
