// A sweep as one HTML file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/svg.h"
#include "report/sweep_figures.h"
#include "report/tradeoff.h"

namespace sdft::report {
namespace {

constexpr int kFigure = 400;

std::string number_cell(const std::string& value, const std::string& interval) {
  return "<td><span class=\"value\">" + value + "</span>" +
         (interval.empty() ? "" : "<span class=\"ci\">" + interval + "</span>") + "</td>";
}

std::string main_table(const Sweep& sweep) {
  const std::vector<SweepRow> all = rows_of(sweep);
  const std::vector<std::string> keys = keys_of(sweep), measures = measures_of(sweep);
  const bool seeds =
      std::any_of(all.begin(), all.end(), [](const SweepRow& row) { return row.runs.size() > 1; });
  std::vector<std::string> heads = {"Variant"};
  for (const std::string& key : keys) heads.push_back(name(key));
  if (seeds) heads.push_back("seeds");
  for (const std::string& measure : measures) heads.push_back(name(title_of(measure)));
  const size_t left = 1 + keys.size() + (seeds ? 1 : 0);
  std::vector<std::vector<std::string>> rows;
  if (!sweep.seed_model.empty()) {
    std::vector<std::string> row = {"seed model"};
    row.resize(left);
    for (const std::string& measure : measures)
      row.push_back(number_cell(value_text(measure, seed_value(sweep, measure)), ""));
    rows.push_back(std::move(row));
  }
  for (const SweepRow& one : all) {
    const bool plain = one.method.empty() || one.method == one.variant;
    std::vector<std::string> row = {name(one.variant) +
                                    (plain ? "" : "<span class=\"sub\">" + name(one.method) + "</span>")};
    for (const std::string& key : keys) row.push_back(name(value_of(one.settings, key).value_or(kDash)));
    if (seeds) row.push_back(grouped(static_cast<int64_t>(one.runs.size())));
    for (const std::string& measure : measures) {
      const Estimate e = estimate_of(sweep, one, measure);
      row.push_back(number_cell(value_text(measure, e.value), interval_text(measure, e)));
    }
    rows.push_back(std::move(row));
  }
  return wide_table(heads, rows, left);
}

std::string figure_section(const SweepFigure& figure) {
  std::string out = "<figure>\n";
  if (figure.numbers || figure.series.front().size() > 1) {
    out += "<ul class=\"legend\">";
    for (const SweepSeries& series : figure.series.front())
      out += "<li>" + marker_icon(series.slot) + name(series.label) +
             (series.level ? " <span class=\"soft\">(does not depend on it)</span>" : "") + "</li>";
    out += "</ul>\n";
  }
  out += "<div class=\"pair\">\n";
  for (size_t i = 0; i < figure.measures.size(); ++i) out += draw(figure, i, kFigure);
  return section((figure.numbers ? "Against " : "By ") + name(figure.key), "", out + "</div>\n</figure>\n");
}

// Green above the seed model and red below it, the deeper the further.
std::string matrix_cell(const MatrixCell& cell) {
  const std::string interval = percent_interval({cell.score.low, cell.score.high});
  std::string tint, change;
  if (known(cell.change)) {
    tint = fmt::format(" class=\"{}\" style=\"--a:{:.0f}%\"", cell.change < 0 ? "down" : "up",
                       8 + 32 * std::min(1.0, std::fabs(cell.change) / 0.5));
    if (std::fabs(cell.change) < 0.0005) tint.clear();
    change = "<span class=\"ci\">" + points(cell.change) + "</span>";
  }
  return "<td" + tint + "><span class=\"value\">" + percent_bare(cell.score.value) + "</span>" +
         (interval.empty() ? "" : "<span class=\"ci\">" + interval + "</span>") + change + "</td>";
}

std::string matrix_table(const Matrix& matrix) {
  std::vector<std::string> heads = {matrix.corner};
  for (const std::string& column : matrix.columns) heads.push_back(name(column));
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < matrix.rows.size(); ++i) {
    rows.push_back({name(matrix.rows[i])});
    for (const MatrixCell& cell : matrix.cells[i]) rows.back().push_back(matrix_cell(cell));
  }
  std::string out = wide_table(heads, rows, 1);
  for (const std::string& note : matrix.notes) out += "<p class=\"note\">" + escape_html(note) + "</p>\n";
  return out;
}

std::string matrix_sections(const Sweep& sweep) {
  std::string out;
  if (const auto matrix = transfer_matrix(sweep))
    out += section(
        "Transfer between datasets",
        "Score on each target task in percent, and below it the change against the seed model in points.",
        matrix_table(*matrix));
  std::string stages;
  for (const Matrix& matrix : stage_matrices(sweep))
    stages += "<h3 class=\"gap\">" + name(matrix.title) + "</h3>\n" + matrix_table(matrix);
  if (!stages.empty())
    out += section("After each stage",
                   "Score on each task in percent, and below it the change against the seed model in points.",
                   stages);
  return out;
}

}  // namespace

std::string to_html(const Sweep& sweep) {
  std::string out = "<header>\n<p class=\"over\">Self-distillation fine-tuning sweep</p>\n<h1>" +
                    escape_html(cut(one_line(clean(sweep.title)), 200)) + "</h1>\n<p class=\"meta\">" +
                    plural(static_cast<int64_t>(sweep.runs.size()), "run") + " in " +
                    plural(static_cast<int64_t>(rows_of(sweep).size()), "row") + "</p>\n</header>\n" +
                    warning_list(sweep.warnings);
  if (measures_of(sweep).empty()) {
    out += section("Scores", "No run of the sweep was evaluated.", "");
  } else {
    out += section("All rows",
                   "Means over runs that differ in their seed alone, with the 95&nbsp;% t interval over "
                   "seeds, left out where they "
                   "agree. Forgetting is the seed model's mean on the retained tasks minus the run's." +
                       divergence_note(sweep),
                   main_table(sweep));
    out += trade_off_section(trade_off(sweep), "Means over seeds; bars are 95&nbsp;% intervals over seeds.");
    const std::vector<SweepFigure> figures = figures_of(sweep);
    for (const SweepFigure& figure : figures) out += figure_section(figure);
    if (!figures.empty())
      out +=
          "<p class=\"note\">In the figures a line at 0 of forgetting is the seed model; bars are 95&nbsp;% "
          "intervals "
          "over seeds, cut where they leave the figure.</p>\n";
    out += matrix_sections(sweep);
  }
  out += learning_section(sweep.learning);
  std::string facts;
  for (const Setting& setting : sweep.base)
    facts += "<dt>" + name(setting.name) + "</dt><dd>" + safe(setting.value) + "</dd>\n";
  if (!facts.empty()) out += section("What all runs share", "", "<dl class=\"facts\">\n" + facts + "</dl>\n");
  return page(sweep.title, out, "broad");
}

}  // namespace sdft::report
