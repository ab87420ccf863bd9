// Finished runs beside each other, made from their documents alone: which settings differ, what each model
// scored, what was learned against what was kept. Scores share a column only where they were measured alike:
// on the same examples, in the same way, from the same seed model; others stand in columns of their own, and
// warnings say so. The same documents give the same bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

struct ComparedRun {
  std::string name;  // as shown, unlike the others'
  std::string link;  // the address of its report.html, as it stands in an href; "" for none
  Document document;
};

std::string compare_html(const std::vector<ComparedRun>& runs);
std::string compare_markdown(const std::vector<ComparedRun>& runs);
std::string compare_terminal(const std::vector<ComparedRun>& runs, const TerminalStyle& style = {});

// The report.json of run directories (or such files), named by what of their paths differs, with links that
// hold from `page_folder`. Error(kInput) of a folder without one, Error(kUsage) of fewer than two runs or one
// given twice.
std::vector<ComparedRun> read_compared_runs(const std::vector<std::string>& paths,
                                            const std::filesystem::path& page_folder);

// --- What the three show ---

// A setting, and its value in each run; kDash where a run has none.
struct DifferingSetting {
  std::string name;
  std::vector<std::string> values;
};
// Of the seed models, data, program and resolved recipes. Files are told by name and content, not by where
// they lie; output_dir is left out.
std::vector<DifferingSetting> differing_settings(const std::vector<ComparedRun>& runs);

// A column of scores: a task, or all of a kind, as some of the runs measured it alike.
struct Measured {
  std::string title, about;                     // plain text
  std::vector<std::vector<const Task*>> tasks;  // of each run; none where it did not
};
// Columns that the same runs measured alike; a row each of these runs' models but the seed, which is one.
struct ScoreTable {
  std::vector<Measured> columns;
  std::vector<size_t> runs;
};
std::vector<ScoreTable> kind_tables(const std::vector<ComparedRun>& runs);
std::vector<ScoreTable> task_tables(const std::vector<ComparedRun>& runs);
std::string names_of(const std::vector<ComparedRun>& runs, const std::vector<size_t>& some);  // "one, two"

// Which runs were not measured alike, and why; sentences.
std::vector<std::string> not_comparable(const std::vector<ComparedRun>& runs);

}  // namespace sdft::report
