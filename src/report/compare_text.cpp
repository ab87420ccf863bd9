// Several runs on a terminal and as Markdown.
#include <algorithm>

#include "report/compare.h"
#include "report/format.h"
#include "report/markdown_parts.h"
#include "report/terminal_writer.h"
#include "report/tradeoff.h"
#include "report/verdict.h"

namespace sdft::report {
namespace {

using Runs = std::vector<ComparedRun>;

constexpr const char* kNote =
    "[a, b]: 95 % interval over examples. In points: gained or lost against the run's own seed model. Two "
    "runs "
    "are not tested against each other here; `sdft eval --compare A B` does it, example by example.";

// A model's scores in the columns of a table.
struct ModelRow {
  std::string run, model;  // no run: the seed, whose scores are the same in all of the table's runs
  std::vector<std::string> values, changes;
};

ModelRow model_row(const Runs& runs, const ScoreTable& table, size_t run, const std::string& model) {
  const Document& document = runs[run].document;
  const std::string seed = find_roles(document).seed;
  ModelRow row{model == seed ? "" : runs[run].name, model, {}, {}};
  for (const Measured& column : table.columns) {
    const Estimate mean = mean_over(column.tasks[run], model);
    const std::string interval = percent_interval({mean.low, mean.high});
    row.values.push_back(percent_bare(mean.value) + (interval.empty() ? "" : " " + interval));
    Comparison change;
    if (model != seed) change = mean_comparison(*document.evaluation, column.tasks[run], model, seed);
    row.changes.push_back(known(change.value) ? points(change.value) : "");
  }
  return row;
}

std::vector<ModelRow> model_rows(const Runs& runs, const ScoreTable& table) {
  std::vector<ModelRow> rows;
  for (size_t i : table.runs) {
    const std::string seed = find_roles(runs[i].document).seed;
    for (const std::string& model : runs[i].document.evaluation->models)
      if (model != seed || i == table.runs.front()) rows.push_back(model_row(runs, table, i, model));
  }
  return rows;
}

std::string plain(const std::string& text, int columns) {
  return cut_columns(one_line(clean(text)), columns);
}

std::vector<Row> setting_rows(const Runs& runs, const std::vector<DifferingSetting>& settings, size_t first,
                              size_t count) {
  Row head{{{{"what differs", Paint::kDim}}}};
  for (size_t i = first; i < first + count; ++i)
    head.cells.push_back({{plain(runs[i].name, 30), Paint::kBold}});
  std::vector<Row> rows = {head};
  for (const DifferingSetting& setting : settings) {
    Row row{{{{plain(setting.name, 30)}}}};
    for (size_t i = first; i < first + count; ++i) row.cells.push_back({{plain(setting.values[i], 30)}});
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> score_rows(const std::vector<Measured>& columns, const std::vector<ModelRow>& models,
                            size_t first, size_t count) {
  Row head{{{{"score, %", Paint::kDim}}}};
  for (size_t k = first; k < first + count; ++k)
    head.cells.push_back({{columns[k].title, Paint::kBold}, {plain(columns[k].about, 24), Paint::kDim}});
  std::vector<Row> rows = {head};
  for (const ModelRow& model : models) {
    Cell label = {{plain(model.run.empty() ? model.model : model.run, 24)}};
    if (!model.run.empty()) label.push_back({"  " + plain(model.model, 22), Paint::kDim});
    Row row{{label}};
    for (size_t k = first; k < first + count; ++k) {
      Cell cell = {{model.values[k]}};
      if (!model.changes[k].empty()) cell.push_back({model.changes[k], Paint::kDim});
      row.cells.push_back(cell);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::string compare_terminal(const Runs& runs, const TerminalStyle& style) {
  Terminal terminal(style);
  const std::vector<std::string> warnings = not_comparable(runs);
  for (const std::string& warning : warnings)
    terminal.paragraph({"! ", Paint::kWarn}, {one_line(clean(warning)), Paint::kWarn});
  if (!warnings.empty()) terminal.line();
  const std::vector<DifferingSetting> settings = differing_settings(runs);
  if (settings.empty())
    terminal.line({"Recipes, data and seed models are the same."});
  else
    terminal.tables(runs.size(),
                    [&](size_t first, size_t count) { return setting_rows(runs, settings, first, count); });
  const std::vector<ScoreTable> kinds = kind_tables(runs);
  if (kinds.empty()) {
    terminal.line({"No run was evaluated."});
    return terminal.take();
  }
  for (const ScoreTable& table : kinds) {
    const std::vector<ModelRow> models = model_rows(runs, table);
    terminal.tables(table.columns.size(), [&](size_t first, size_t count) {
      return score_rows(table.columns, models, first, count);
    });
  }
  terminal.paragraph({}, {kNote, Paint::kDim});
  return terminal.take();
}

// --- Markdown ---

using namespace markdown;

namespace {

std::string score_table(const Runs& runs, const ScoreTable& table) {
  std::vector<std::string> titles = {"Run", "Model"};
  for (const Measured& column : table.columns) titles.push_back(cell(column.title + ", " + column.about));
  std::string out = head(titles, 2);
  for (const ModelRow& model : model_rows(runs, table)) {
    std::vector<std::string> cells = {cell(model.run), cell(model.model)};
    for (size_t k = 0; k < table.columns.size(); ++k)
      cells.push_back(model.values[k] + (model.changes[k].empty() ? "" : " (" + model.changes[k] + ")"));
    out += row(cells);
  }
  return out + "\n";
}

}  // namespace

std::string compare_markdown(const Runs& runs) {
  std::string out = "# Runs compared\n\n";
  const std::vector<std::string> warnings = not_comparable(runs);
  for (const std::string& warning : warnings) out += "> ⚠ " + full(warning) + "\n>\n";
  if (!warnings.empty()) out.replace(out.size() - 2, 2, "\n");
  std::vector<std::string> titles = {"What differs"};
  for (const ComparedRun& run : runs) {
    out += "- " + (run.link.empty() ? cell(run.name) : "[" + cell(run.name) + "](" + run.link + ")") + ": " +
           full(find_verdict(run.document).headline) + "\n";
    titles.push_back(cell(run.name));
  }
  out += "\n";
  const std::vector<DifferingSetting> settings = differing_settings(runs);
  if (settings.empty())
    out += "Recipes, data and seed models are the same.\n\n";
  else
    out += head(titles, titles.size());
  for (const DifferingSetting& setting : settings) {
    std::vector<std::string> cells = {cell(setting.name)};
    for (const std::string& value : setting.values) cells.push_back(cell(value));
    out += row(cells);
  }
  const std::vector<ScoreTable> kinds = kind_tables(runs);
  if (kinds.empty()) return plain_spaces(out + "\nNo run was evaluated.\n");
  out += "\n## Means of each kind\n\n";
  for (const ScoreTable& table : kinds) out += score_table(runs, table);
  out += std::string(kNote) + "\n\n## Scores\n\n";
  for (const ScoreTable& table : task_tables(runs)) out += score_table(runs, table);
  return plain_spaces(out);
}

}  // namespace sdft::report
