// A sweep on a terminal and as Markdown.
#include <algorithm>

#include "report/format.h"
#include "report/markdown_parts.h"
#include "report/sweep_rows.h"
#include "report/terminal_writer.h"

namespace sdft::report {
namespace {

constexpr const char* kNote =
    "[a, b] is the 95 % t interval over seeds, left out where they agree. Forgetting is the seed model's "
    "mean on the retained tasks "
    "minus the "
    "run's.";

bool several_seeds(const std::vector<SweepRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const SweepRow& row) { return row.runs.size() > 1; });
}

std::string plain(const std::string& text, int columns) {
  return cut_columns(one_line(clean(text)), columns);
}

// --- Terminal ---

Cell measure_cell(const std::string& measure, const Estimate& e) {
  Cell cell = {{value_text(measure, e.value)}};
  const std::string interval = interval_text(measure, e);
  if (!interval.empty()) cell.push_back({interval, Paint::kDim});
  return cell;
}

// The seed model and all rows, with some of the measures.
std::vector<Row> table_rows(const Sweep& sweep, const std::vector<SweepRow>& rows,
                            const std::vector<std::string>& measures, int columns) {
  const int label_width = std::min(30, columns / 3), title_width = std::min(24, columns - label_width - 9);
  const bool seeds = several_seeds(rows);
  Row head{{{{"", Paint::kDim}}}};
  if (seeds) head.cells.push_back({{"seeds", Paint::kDim}});
  for (const std::string& measure : measures)
    head.cells.push_back({{plain(title_of(measure), title_width), Paint::kBold}});
  std::vector<Row> out = {head};
  auto add = [&](const std::string& name, size_t count, auto estimate) {
    Cell label;
    for (const std::string& piece : wrap(one_line(clean(name)), label_width)) label.push_back({piece});
    Row row{{label}};
    if (seeds) row.cells.push_back({{count > 0 ? grouped(static_cast<int64_t>(count)) : "", Paint::kDim}});
    for (const std::string& measure : measures) row.cells.push_back(measure_cell(measure, estimate(measure)));
    out.push_back(row);
  };
  if (!sweep.seed_model.empty())
    add("seed model", 0, [&](const std::string& m) {
      return Estimate{seed_value(sweep, m), kMissing, kMissing};
    });
  for (const SweepRow& row : rows)
    add(label_of(sweep, row), row.runs.size(),
        [&](const std::string& m) { return estimate_of(sweep, row, m); });
  return out;
}

}  // namespace

std::string to_terminal(const Sweep& sweep, const TerminalStyle& style) {
  Terminal terminal(style);
  terminal.paragraph({}, {one_line(clean(sweep.title)), Paint::kBold});
  terminal.line();
  for (const std::string& warning : sweep.warnings)
    terminal.paragraph({"! ", Paint::kWarn}, {one_line(clean(warning)), Paint::kWarn});
  if (!sweep.warnings.empty()) terminal.line();
  const std::vector<SweepRow> rows = rows_of(sweep);
  std::vector<std::string> measures = measures_of(sweep);
  const auto single = std::remove_if(measures.begin(), measures.end(),
                                     [](const std::string& m) { return m.rfind(kTaskPrefix, 0) == 0; });
  const bool more = single != measures.begin() && single != measures.end();
  if (more) measures.erase(single, measures.end());
  if (rows.empty() || measures.empty()) {
    terminal.paragraph({}, {"No run of the sweep was evaluated."});
    return terminal.take();
  }
  terminal.tables(measures.size(), [&](size_t start, size_t count) {
    const auto first = measures.begin() + static_cast<std::ptrdiff_t>(start);
    return table_rows(sweep, rows, {first, first + static_cast<std::ptrdiff_t>(count)}, terminal.columns());
  });
  terminal.paragraph(
      {}, {kNote + divergence_note(sweep) + (more ? " sweep.md has the single tasks." : ""), Paint::kDim});
  for (const Learning& one : sweep.learning)
    if (!is_plain(one))
      terminal.paragraph(
          {plain(one.variant, 30) + "  ", Paint::kDim},
          {one_line(clean(method_in_words(one) + (one.divergence.empty() ? "" : ", " + one.divergence)))});
  for (const Matrix& matrix : stage_matrices(sweep)) {
    terminal.line();
    terminal.paragraph({plain(matrix.title, 30) + "  ", Paint::kDim}, {join(matrix.notes, " ")});
  }
  return terminal.take();
}

// --- Markdown ---

using namespace markdown;

namespace {

std::string table(const Sweep& sweep) {
  const std::vector<SweepRow> rows = rows_of(sweep);
  const std::vector<std::string> keys = keys_of(sweep), measures = measures_of(sweep);
  const bool seeds = several_seeds(rows);
  std::vector<std::string> titles = {"Variant"};
  for (const std::string& key : keys) titles.push_back(cell(key));
  if (seeds) titles.push_back("Seeds");
  for (const std::string& measure : measures) titles.push_back(cell(title_of(measure)));
  std::string out = head(titles, 1 + keys.size());
  std::vector<std::string> cells = {"seed model"};
  cells.resize(1 + keys.size() + (seeds ? 1 : 0), kDash);
  for (const std::string& measure : measures)
    cells.push_back(value_text(measure, seed_value(sweep, measure)));
  if (!sweep.seed_model.empty()) out += row(cells);
  for (const SweepRow& one : rows) {
    cells = {cell(one.variant)};
    for (const std::string& key : keys) cells.push_back(cell(value_of(one.settings, key).value_or(kDash)));
    if (seeds) cells.push_back(grouped(static_cast<int64_t>(one.runs.size())));
    for (const std::string& measure : measures) {
      const Estimate e = estimate_of(sweep, one, measure);
      const std::string interval = interval_text(measure, e);
      cells.push_back(value_text(measure, e.value) + (interval.empty() ? "" : " " + interval));
    }
    out += row(cells);
  }
  return out + "\n" + kNote + divergence_note(sweep) + "\n\n";
}

std::string matrix_table(const Matrix& matrix) {
  std::vector<std::string> titles = {matrix.corner};
  for (const std::string& column : matrix.columns) titles.push_back(cell(column) + ", %");
  std::string out = head(titles);
  for (size_t i = 0; i < matrix.rows.size(); ++i) {
    std::vector<std::string> cells = {cell(matrix.rows[i])};
    for (const MatrixCell& one : matrix.cells[i])
      cells.push_back(percent_bare(one.score.value) +
                      (known(one.change) ? " (" + points(one.change) + ")" : ""));
    out += row(cells);
  }
  out += "\n";
  for (const std::string& note : matrix.notes) out += "- " + full(note) + "\n";
  return out + (matrix.notes.empty() ? "" : "\n");
}

}  // namespace

std::string to_markdown(const Sweep& sweep) {
  std::string out = "# " + full(sweep.title) + "\n\n";
  for (const std::string& warning : sweep.warnings) out += "> ⚠ " + full(warning) + "\n>\n";
  if (!sweep.warnings.empty()) out.replace(out.size() - 2, 2, "\n");
  if (measures_of(sweep).empty()) return out + "No run of the sweep was evaluated.\n";
  out += table(sweep);
  if (const auto matrix = transfer_matrix(sweep))
    out += "## Transfer between datasets\n\nIn brackets the change against the seed model, in points.\n\n" +
           matrix_table(*matrix);
  for (const Matrix& matrix : stage_matrices(sweep))
    out += "## After each stage: " + cell(matrix.title) + "\n\n" + matrix_table(matrix);
  if (const std::string lines = learning_lines(sweep.learning); !lines.empty())
    out += "## How each variant learned\n\n" + lines + "\n";
  if (!sweep.base.empty()) out += "## What all runs share\n\n";
  for (const Setting& setting : sweep.base)
    out += "- " + full(setting.name) + ": " + full(setting.value) + "\n";
  return plain_spaces(out);
}

}  // namespace sdft::report
