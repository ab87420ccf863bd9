// Several runs as one HTML file.
#include <algorithm>

#include "report/compare.h"
#include "report/format.h"
#include "report/html_parts.h"
#include "report/svg.h"
#include "report/tradeoff.h"
#include "report/verdict.h"

namespace sdft::report {
namespace {

using Runs = std::vector<ComparedRun>;
constexpr size_t kTasksAbreast = 5;

std::string linked(const ComparedRun& run) {
  return run.link.empty() ? name(run.name)
                          : "<a href=\"" + escape_html(run.link) + "\">" + name(run.name) + "</a>";
}

std::string run_list(const Runs& runs) {
  std::string out;
  for (const ComparedRun& run : runs) {
    std::vector<std::string> facts = {name(run.document.run.title)};
    if (!run.document.run.method.empty()) facts.push_back(name(run.document.run.method));
    if (!run.document.evaluation) facts.push_back("not evaluated");
    out += "<dt>" + linked(run) + "</dt><dd>" + join(facts, " · ") + "<p class=\"soft\">" +
           safe(find_verdict(run.document).headline) + "</p></dd>\n";
  }
  return section("The runs", "Each name leads to the run's own report.",
                 "<dl class=\"facts\">\n" + out + "</dl>\n");
}

std::string settings_section(const Runs& runs) {
  const std::vector<DifferingSetting> settings = differing_settings(runs);
  if (settings.empty())
    return section("What differs", "Nothing: the recipes, data and seed models are the same.", "");
  std::vector<std::string> heads = {"Setting"};
  for (const ComparedRun& run : runs) heads.push_back(name(run.name));
  std::vector<std::vector<std::string>> rows;
  for (const DifferingSetting& setting : settings) {
    rows.push_back({name(setting.name)});
    for (const std::string& value : setting.values) rows.back().push_back(safe(cut(one_line(value), 300)));
  }
  return section(
      "What differs",
      "Settings of the resolved recipes, seed models and data that are not the same in all runs. Files "
      "are told by their names and the beginnings of their SHA-256.",
      wide_table(heads, rows, heads.size()));
}

// Mean or score with its interval, and what it gained or lost against the run's own seed.
std::string cell(const Document& document, const std::vector<const Task*>& tasks, const std::string& model) {
  if (tasks.empty()) return kDash;
  const std::string seed = find_roles(document).seed;
  const Estimate mean = mean_over(tasks, model);
  const std::string interval = percent_interval({mean.low, mean.high});
  return "<span class=\"value\">" + percent_bare(mean.value) + "</span>" +
         (interval.empty() ? "" : "<span class=\"ci\">" + interval + "</span>") +
         (model == seed ? "" : delta(mean_comparison(*document.evaluation, tasks, model, seed)));
}

// The seed's are the same in all of the runs.
TableRow seed_row(const Runs& runs, const std::vector<Measured>& columns, size_t run) {
  const Document& document = runs[run].document;
  TableRow row{marker_icon(0) + "seed"};
  for (const Measured& column : columns)
    row.cells.push_back(cell(document, column.tasks[run], find_roles(document).seed));
  return row;
}

// Some of its columns.
std::string score_table(const Runs& runs, const std::vector<Measured>& columns,
                        const std::vector<size_t>& shown) {
  std::vector<Column> heads = {{"Model"}};
  TableRow about{"<span class=\"sub\">measured as</span>"};
  for (const Measured& column : columns) {
    heads.push_back({name(column.title)});
    about.cells.push_back("<span class=\"ci\">" + name(column.about) + "</span>");
  }
  std::vector<TableRow> rows = {about};
  if (!find_roles(runs[shown[0]].document).seed.empty()) rows.push_back(seed_row(runs, columns, shown[0]));
  for (size_t i : shown) {
    const Document& document = runs[i].document;
    rows.push_back({linked(runs[i])});
    for (const std::string& model : document.evaluation->models) {
      if (model == find_roles(document).seed) continue;
      TableRow row{name(model)};
      for (const Measured& column : columns) row.cells.push_back(cell(document, column.tasks[i], model));
      rows.push_back(std::move(row));
    }
  }
  return "<div class=\"tall\">\n" + data_table(heads, rows, std::min<size_t>(columns.size(), 3)) + "</div>\n";
}

std::string score_tables(const Runs& runs, const std::vector<ScoreTable>& tables) {
  std::string out;
  for (const ScoreTable& table : tables) {
    if (tables.size() > 1) out += "<h3 class=\"gap\">" + safe(names_of(runs, table.runs)) + "</h3>\n";
    for (size_t start = 0; start < table.columns.size(); start += kTasksAbreast) {
      const auto first = table.columns.begin() + static_cast<std::ptrdiff_t>(start);
      const auto count = std::min(table.columns.size() - start, kTasksAbreast);
      out += score_table(runs, {first, first + static_cast<std::ptrdiff_t>(count)}, table.runs);
    }
  }
  return out;
}

// A figure for all runs whose target and retained tasks were measured alike.
std::string trade_offs(const Runs& runs, const std::vector<ScoreTable>& tables) {
  std::vector<Measured> targets, retained;
  for (const ScoreTable& table : tables)
    for (const Measured& column : table.columns) {
      if (column.title == kKinds[0].title) targets.push_back(column);
      if (column.title == kKinds[1].title) retained.push_back(column);
    }
  std::string out;
  for (const Measured& target : targets)
    for (const Measured& kept : retained)
      out += trade_off_section(trade_off(runs, target, kept),
                               "Means over the tasks of each kind; bars are 95&nbsp;% intervals over "
                               "examples. Only runs that were measured alike share a figure.");
  return out;
}

}  // namespace

std::string compare_html(const Runs& runs) {
  std::vector<std::string> names;
  for (const ComparedRun& run : runs) names.push_back(cut_short(one_line(clean(run.name)), 40));
  const std::string title = join(names, ", ");
  const std::vector<ScoreTable> kinds = kind_tables(runs);
  std::string out = "<header>\n<p class=\"over\">Self-distillation fine-tuning, runs compared</p>\n<h1>" +
                    escape_html(cut(title, 200)) + "</h1>\n<p class=\"meta\">" +
                    plural(static_cast<int64_t>(runs.size()), "run") + "</p>\n</header>\n" +
                    warning_list(not_comparable(runs)) + run_list(runs) + settings_section(runs);
  if (kinds.empty()) {
    out += section("Scores", "No run was evaluated.", "");
  } else {
    out +=
        section(
            "In short",
            "Means over the tasks of each kind in percent, with their 95&nbsp;% intervals over examples; "
            "below them points gained or lost against the run's own seed model, grey where that run's paired "
            "test does not find them. Runs that were not measured alike have tables of their own.",
            score_tables(runs, kinds)) +
        trade_offs(runs, kinds) +
        section("Scores", "The same of each task.", score_tables(runs, task_tables(runs)));
  }
  return page(title,
              out +
                  "<footer>Two runs are not tested against each other here: their documents hold no "
                  "examples. <code>sdft eval --compare A B</code> does it, example by example.</footer>\n",
              "broad");
}

}  // namespace sdft::report
