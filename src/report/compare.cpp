// Which of several runs can be held against each other, and in what they differ.
#include "report/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "report/format.h"
#include "report/html_parts.h"
#include "report/verdict.h"

namespace sdft::report {
namespace fs = std::filesystem;

namespace {

using Runs = std::vector<ComparedRun>;

std::string file_name(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return name.empty() ? path : name;
}

// "train.jsonl (9ee963ef)": the same wherever it lies.
std::string file_text(const DatasetFile& file) {
  return file_name(file.path) + (file.sha256.empty() ? "" : " (" + file.sha256.substr(0, 8) + ")");
}

// --- Settings ---

std::string without_place(const Run& run, const std::string& value) {
  if (value.empty()) return value;
  if (value == run.seed_model.path) return file_name(value);
  for (const DatasetFile& file : run.datasets)
    if (value == file.path) return file_text(file);
  return value;
}

// The top level of a resolved recipe: its keys stand at the beginning of a line. Those of the entries of
// `eval` and other lists are told apart by the entry's name.
std::vector<Setting> recipe_settings(const Run& run) {
  std::vector<Setting> all;
  std::string block;
  size_t at = 0;
  while (at < run.recipe.size()) {
    const size_t end = std::min(run.recipe.find('\n', at), run.recipe.size());
    const std::string line = run.recipe.substr(at, end - at);
    at = end + 1;
    const size_t text = line.find_first_not_of(" -");
    if (text == std::string::npos || line[text] == '#') continue;
    const size_t colon = line.find(':', text);
    const std::string key = line.substr(text, colon == std::string::npos ? colon : colon - text);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    value = without_place(run, value);
    if (text == 0) {
      block = key;
      all.push_back({key, value});
    } else if (line.find_first_not_of(' ') < text && key == "name") {
      all.push_back({block + " " + value, ""});
    } else if (!all.empty()) {
      std::string& whole = all.back().value;
      whole += (whole.empty() ? "" : ", ") + (value.empty() ? line.substr(text) : key + ": " + value);
    }
  }
  return all;
}

std::vector<Setting> all_settings(const Document& document) {
  const Run& run = document.run;
  std::vector<Setting> all = {
      {"seed model", file_name(run.seed_model.path)},
      {"parameters", run.seed_model.parameters > 0 ? parameters(run.seed_model.parameters) : ""}};
  for (const DatasetFile& file : run.datasets)
    if (file.role == "train")
      all.push_back({"training data", file_text(file) + ", " + plural(file.examples, "example")});
  for (const Setting& setting : recipe_settings(run))
    if (setting.name != "output_dir" && setting.name != "model_name_or_path" && setting.name != "dataset")
      all.push_back(setting);
  all.push_back({"program", run.version});
  all.insert(all.end(), run.versions.begin(), run.versions.end());
  return all;
}

// --- Scores ---

std::string seed_model_text(const Run& run) {
  return file_name(run.seed_model.path) + " " + std::to_string(run.seed_model.parameters) + " " +
         run.seed_model.sha256;
}

// That a task's examples came from: its own, or the one that its name begins with ("chat, bleu4").
const DatasetFile* dataset_of(const Run& run, const std::string& task) {
  const DatasetFile* found = nullptr;
  for (const DatasetFile& file : run.datasets) {
    const size_t length = file.role.size();
    const bool begins = task.compare(0, length, file.role) == 0 &&
                        (task.size() == length || task[length] == ' ' || task[length] == ',');
    if (begins && file.role != "train" && (!found || length > found->role.size())) found = &file;
  }
  return found;
}

// What has to be equal for two scores to be held against each other.
struct Likeness {
  std::string seed_model, examples, measure, seed_score;
  bool operator<(const Likeness& other) const {
    return std::tie(seed_model, examples, measure, seed_score) <
           std::tie(other.seed_model, other.examples, other.measure, other.seed_score);
  }
};

Likeness likeness_of(const Document& document, const Task& task) {
  const DatasetFile* file = dataset_of(document.run, task.name);
  const Score* seed = find_score(task, find_roles(document).seed);
  return {seed_model_text(document.run),
          file ? file_text(*file) + ", " + plural(file->examples, "example")
               : plural(examples_of(task), "example"),
          task.kind + ", " + task.metric + ", chance " + percent(task.chance),
          seed ? decimal(seed->value, 6) + " of " + grouped(seed->n) : ""};
}

// The scored tasks of a kind; of a kind of one metric those of the first one's.
std::vector<const Task*> tasks_of(const Document& document, const Kind& kind) {
  std::vector<const Task*> tasks;
  if (!document.evaluation) return tasks;
  std::string metric;
  for (const Task& task : document.evaluation->tasks) {
    if (task.kind != kind.name || (kind.one_metric && !tasks.empty() && task.metric != metric)) continue;
    if (std::none_of(task.scores.begin(), task.scores.end(),
                     [](const Score& score) { return known(score.value); }))
      continue;
    tasks.push_back(&task);
    metric = task.metric;
  }
  return tasks;
}

// The columns that `columns` are of, in their order; of those with one title a column each likeness.
using Key = std::vector<std::pair<std::string, Likeness>>;
struct KeyedColumn {
  std::string title, about;
  Key key;
  std::vector<const Task*> tasks;
};

void add_column(std::vector<Measured>* all, std::vector<Key>* keys, const KeyedColumn& column, size_t run,
                size_t runs) {
  size_t at = 0, behind = all->size();
  for (; at < all->size(); ++at) {
    if ((*all)[at].title != column.title) continue;
    if ((*keys)[at] < column.key || column.key < (*keys)[at])
      behind = at + 1;
    else
      break;
  }
  if (at == all->size()) {
    at = behind;
    all->insert(all->begin() + static_cast<std::ptrdiff_t>(at),
                {column.title, column.about, std::vector<std::vector<const Task*>>(runs)});
    keys->insert(keys->begin() + static_cast<std::ptrdiff_t>(at), column.key);
  }
  (*all)[at].tasks[run] = column.tasks;
}

Key key_of(const Document& document, const std::vector<const Task*>& tasks) {
  Key key;
  for (const Task* task : tasks) key.emplace_back(task->name, likeness_of(document, *task));
  return key;
}

}  // namespace

std::vector<DifferingSetting> differing_settings(const Runs& runs) {
  std::vector<DifferingSetting> all;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const Setting& setting : all_settings(runs[i].document)) {
      auto row = std::find_if(all.begin(), all.end(),
                              [&](const DifferingSetting& one) { return one.name == setting.name; });
      if (row == all.end())
        row = all.insert(all.end(), {setting.name, std::vector<std::string>(runs.size(), kDash)});
      if (!setting.value.empty()) row->values[i] = setting.value;
    }
  }
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const DifferingSetting& row) {
                             return std::all_of(
                                 row.values.begin(), row.values.end(),
                                 [&](const std::string& value) { return value == row.values[0]; });
                           }),
            all.end());
  return all;
}

namespace {

std::vector<Measured> measured_kinds(const Runs& runs) {
  std::vector<Measured> all;
  std::vector<Key> keys;
  for (const Kind& kind : kKinds)
    for (size_t i = 0; i < runs.size(); ++i) {
      const std::vector<const Task*> tasks = tasks_of(runs[i].document, kind);
      if (tasks.empty()) continue;
      int64_t n = 0;
      for (const Task* task : tasks) n += examples_of(*task);
      const std::string about =
          (tasks.size() == 1 ? tasks[0]->name : plural(static_cast<int64_t>(tasks.size()), "task")) +
          ", n = " + grouped(n);
      add_column(&all, &keys, {kind.title, about, key_of(runs[i].document, tasks), tasks}, i, runs.size());
    }
  return all;
}

std::vector<Measured> measured_tasks(const Runs& runs) {
  std::vector<Measured> all;
  std::vector<Key> keys;
  for (const Kind& kind : kKinds)
    for (size_t i = 0; i < runs.size(); ++i) {
      if (!runs[i].document.evaluation) continue;
      for (const Task& task : runs[i].document.evaluation->tasks) {
        if (task.kind != kind.name) continue;
        const int64_t n = examples_of(task);
        std::string about = task.metric;
        if (n > 0) about += (about.empty() ? "n = " : ", n = ") + grouped(n);
        add_column(&all, &keys, {task.name, about, key_of(runs[i].document, {&task}), {&task}}, i,
                   runs.size());
      }
    }
  return all;
}

std::vector<ScoreTable> tables_of(const std::vector<Measured>& columns) {
  std::vector<ScoreTable> tables;
  for (const Measured& column : columns) {
    std::vector<size_t> runs;
    for (size_t i = 0; i < column.tasks.size(); ++i)
      if (!column.tasks[i].empty()) runs.push_back(i);
    auto table =
        std::find_if(tables.begin(), tables.end(), [&](const ScoreTable& one) { return one.runs == runs; });
    if (table == tables.end()) table = tables.insert(tables.end(), {{}, runs});
    table->columns.push_back(column);
  }
  return tables;
}

}  // namespace

std::vector<ScoreTable> kind_tables(const Runs& runs) { return tables_of(measured_kinds(runs)); }
std::vector<ScoreTable> task_tables(const Runs& runs) { return tables_of(measured_tasks(runs)); }

std::string names_of(const Runs& runs, const std::vector<size_t>& some) {
  std::vector<std::string> names;
  for (size_t i : some) names.push_back(runs[i].name);
  return join(names, ", ");
}

// --- What cannot be compared ---

namespace {

// "one and two | three": who is alike.
std::string parted(const Runs& runs, const std::map<std::string, std::vector<size_t>>& alike) {
  std::vector<std::string> parts;
  for (const auto& [value, members] : alike) parts.push_back(names_of(runs, members));
  std::sort(parts.begin(), parts.end());
  return join(parts, " | ");
}

// Tasks by who was measured alike.
struct Cause {
  std::string Likeness::*what;
  const char* words;
};
constexpr Cause kCauses[] = {
    {&Likeness::examples, "not of the same examples"},
    {&Likeness::measure, "not measured in the same way"},
    {&Likeness::seed_score,
     "of the same examples, but the seed model scored differently, so it was asked differently (template, "
     "limits, sampling) or is another model"},
};

}  // namespace

std::vector<std::string> not_comparable(const Runs& runs) {
  std::vector<std::string> all;
  std::map<std::string, std::vector<size_t>> seeds;
  for (size_t i = 0; i < runs.size(); ++i) seeds[seed_model_text(runs[i].document.run)].push_back(i);
  if (seeds.size() > 1)
    all.push_back("These runs do not start from the same seed model: " + parted(runs, seeds) +
                  ". Their scores stand in tables of their own.");
  std::vector<std::pair<std::string, std::vector<std::string>>> found;  // what is wrong, and of which tasks
  std::set<std::string> seen;
  for (const Measured& column : measured_tasks(runs)) {
    if (!seen.insert(column.title).second) continue;
    for (const Cause& cause : kCauses) {
      std::map<std::string, std::vector<size_t>> alike;
      for (size_t i = 0; i < runs.size(); ++i) {
        if (!runs[i].document.evaluation) continue;
        for (const Task& task : runs[i].document.evaluation->tasks)
          if (task.name == column.title)
            alike[seed_model_text(runs[i].document.run) + likeness_of(runs[i].document, task).*cause.what]
                .push_back(i);
      }
      if (alike.size() <= seeds.size()) continue;
      const std::string words = std::string(cause.words) + ": " + parted(runs, alike);
      auto at = std::find_if(found.begin(), found.end(), [&](const auto& one) { return one.first == words; });
      if (at == found.end()) at = found.insert(at, {words, {}});
      at->second.push_back(column.title);
      break;
    }
  }
  for (const auto& [words, tasks] : found)
    all.push_back("Not comparable, " + words + ". In tables of their own: " + join(tasks, ", ") + ".");
  return all;
}

// --- Reading ---

namespace {

// Of each path the last parts, as many as tell them apart.
std::vector<std::string> short_names(const std::vector<fs::path>& folders) {
  for (int parts = 1;; ++parts) {
    std::vector<std::string> names;
    bool whole = true;
    for (const fs::path& folder : folders) {
      fs::path name, rest = folder;
      for (int i = 0; i < parts && rest.has_relative_path(); ++i, rest = rest.parent_path())
        name = name.empty() ? rest.filename() : rest.filename() / name;
      whole = whole && !rest.has_relative_path();
      names.push_back(name.generic_string());
    }
    if (whole || std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  }
}

}  // namespace

std::vector<ComparedRun> read_compared_runs(const std::vector<std::string>& paths,
                                            const fs::path& page_folder) {
  if (paths.size() < 2)
    fail_usage("a comparison needs two runs or more", "as in --compare runs/one runs/two");
  std::vector<fs::path> folders;
  Runs runs;
  for (const std::string& path : paths) {
    std::error_code none;
    const fs::path file = fs::is_directory(path, none) ? fs::path(path) / "report.json" : fs::path(path);
    if (!fs::exists(file, none))
      fail_input(path, "has no report.json", "a finished run has one; `sdft report` writes it again");
    const fs::path folder = fs::weakly_canonical(file).parent_path();
    if (std::find(folders.begin(), folders.end(), folder) != folders.end())
      fail_usage(path + " is given twice", "name other runs");
    folders.push_back(folder);
    const fs::path page = folder / "report.html";
    runs.push_back({"",
                    fs::exists(page, none)
                        ? address(page.lexically_relative(fs::weakly_canonical(page_folder)).generic_string())
                        : "",
                    read_document(file)});
  }
  const std::vector<std::string> names = short_names(folders);
  for (size_t i = 0; i < runs.size(); ++i) runs[i].name = names[i];
  return runs;
}

}  // namespace sdft::report
