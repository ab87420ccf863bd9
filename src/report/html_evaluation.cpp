// The page's sections about scores: the plot, the table, what was forgotten and gained by example.
#include <fmt/format.h>

#include <algorithm>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/plots.h"
#include "report/summary.h"
#include "report/tradeoff.h"

namespace sdft::report {
namespace {

constexpr size_t kTasksAbreast = 5;  // of a table whose rows are models
constexpr size_t kNamedIds = 12;

std::string score_cell(const Task& task, const std::string& model, const std::string& seed) {
  const Score* score = find_score(task, model);
  std::string out =
      "<span class=\"value\">" + std::string(score ? percent_bare(score->value) : kDash) + "</span>";
  std::string interval = score ? percent_interval(score->interval) : "";
  if (!interval.empty()) out += "<span class=\"ci\">" + interval + "</span>";
  return out + delta(compare(task, model, seed));
}

// Of the task: metric and examples.
std::string subtitle_of(const Task& task) {
  const int64_t n = examples_of(task);
  return name(task.metric) + (task.metric.empty() || n == 0 ? "" : ", ") + (n > 0 ? "n = " + grouped(n) : "");
}

std::vector<const Task*> tasks_of(const Evaluation& evaluation, const Kind& kind) {
  std::vector<const Task*> tasks;
  for (const Task& task : evaluation.tasks)
    if (task.kind == kind.name) tasks.push_back(&task);
  return tasks;
}

std::vector<Column> model_columns(const std::string& first, const std::vector<std::string>& shown,
                                  const Document& document) {
  std::vector<Column> columns = {{first}};
  for (const std::string& model : shown)
    columns.push_back(
        {name(model), marker_icon(model_slot(model, document.evaluation->models, document.baseline))});
  return columns;
}

// Tasks below each other, models side by side.
std::string table_of_few(const Document& document) {
  const Evaluation& evaluation = *document.evaluation;
  const std::string seed = find_roles(document).seed;
  std::vector<TableRow> rows;
  for (const Kind& kind : kKinds) {
    const std::vector<const Task*> tasks = tasks_of(evaluation, kind);
    if (!tasks.empty()) rows.push_back({kind.title});
    for (const Task* task : tasks) {
      TableRow row{name(task->name) + "<span class=\"sub\">" + subtitle_of(*task) + "</span>"};
      for (const std::string& model : evaluation.models) row.cells.push_back(score_cell(*task, model, seed));
      rows.push_back(std::move(row));
    }
  }
  return data_table(model_columns("Task", evaluation.models, document), rows,
                    std::clamp<size_t>(evaluation.models.size(), 1, 3));
}

// Models below each other, tasks side by side, some at a time.
std::string tables_of_many(const Document& document) {
  const Evaluation& evaluation = *document.evaluation;
  const std::string seed = find_roles(document).seed;
  std::vector<std::pair<const Kind*, const Task*>> tasks;
  for (const Kind& kind : kKinds)
    for (const Task* task : tasks_of(evaluation, kind)) tasks.emplace_back(&kind, task);
  std::string out;
  for (size_t start = 0; start < tasks.size(); start += kTasksAbreast) {
    const size_t end = std::min(tasks.size(), start + kTasksAbreast);
    std::vector<Column> columns = {{"Model"}};
    TableRow about{"<span class=\"sub\">measured as</span>"};
    for (size_t i = start; i < end; ++i) {
      const auto& [kind, task] = tasks[i];
      columns.push_back({name(task->name)});
      about.cells.push_back("<span class=\"ci\">" + std::string(kind->title) + "</span><span class=\"ci\">" +
                            subtitle_of(*task) + "</span>");
    }
    std::vector<TableRow> rows = {about};
    for (const std::string& model : evaluation.models) {
      TableRow row{marker_icon(model_slot(model, evaluation.models, document.baseline)) + name(model)};
      for (size_t i = start; i < end; ++i) row.cells.push_back(score_cell(*tasks[i].second, model, seed));
      rows.push_back(std::move(row));
    }
    out +=
        "<div class=\"tall\">\n" + data_table(columns, rows, std::min<size_t>(end - start, 3)) + "</div>\n";
  }
  return out;
}

std::string test_details(const Evaluation& evaluation) {
  std::vector<TableRow> rows;
  const Task* task = nullptr;
  for (const TestFacts& test : tests_of(evaluation)) {
    if (test.task != task) rows.push_back({name(test.task->name)});
    task = test.task;
    rows.push_back(
        {name(test.model) + "<span class=\"sub\">against " + name(test.against) + "</span>",
         {test.pairs,
          fmt::format("<span class=\"delta {}\">{}</span>", class_of(test.outcome), test.difference),
          safe(test.p), safe(test.p_adjusted), test.detectable}});
  }
  if (rows.empty()) return "";
  return "<details>\n<summary>Tests <span class=\"soft\">· p values, and the smallest differences that could "
         "be "
         "seen</span></summary>\n" +
         data_table({{"Model"}, {"Pairs"}, {"Difference"}, {"p"}, {"p, Holm"}, {"Seen from"}}, rows, 3) +
         "<p class=\"note\">" + safe(kTestsNote) + "</p>\n</details>\n";
}

std::string incomplete_table(const Evaluation& evaluation) {
  std::vector<TableRow> rows;
  for (const AnswerFacts& one : incomplete_answers(evaluation))
    rows.push_back({name(one.task->name) + "<span class=\"sub\">" + name(one.model) + "</span>",
                    {one.answered, safe(one.unanswered), one.cut}});
  if (rows.empty()) return "";
  return "<div class=\"below\">\n<h3>Missing and cut answers</h3>\n" +
         data_table({{"Task"}, {"Answered"}, {"Not answered"}, {"Cut"}}, rows, 3) + "<p class=\"note\">" +
         kIncompleteNote + "</p>\n</div>\n";
}

// --- By example ---

const Transition* find_transition(const Task& task, const std::string& model) {
  for (const Transition& transition : task.transitions)
    if (transition.model == model) return &transition;
  return nullptr;
}

std::string counted(int64_t count, double corrected, const char* what, const char* cls) {
  std::string out =
      fmt::format("<span class=\"{}\"><b>{}</b> {}</span>", count > 0 ? cls : "same", grouped(count), what);
  if (known(corrected)) out += "<span class=\"ci\">" + decimal(corrected, 1) + " beyond chance</span>";
  return "<span class=\"row\">" + out + "</span>";
}

std::string transition_cell(const Task& task, const std::string& model) {
  const Transition* t = find_transition(task, model);
  if (!t) return kDash;
  const bool guessed = task.chance > 0;
  return counted(t->forgotten, guessed ? t->forgotten_corrected : kMissing, "forgotten", "bad") +
         counted(t->gained, guessed ? t->gained_corrected : kMissing, "gained", "good") +
         (known(t->p_value) && t->forgotten + t->gained > 0
              ? "<span class=\"ci\">p " + std::string(t->p_value < 0.0001 ? "" : "= ") +
                    safe(p_text(t->p_value)) + "</span>"
              : "");
}

std::string ids(const char* what, const std::vector<std::string>& all, int64_t count) {
  if (all.empty()) return "";
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(all.size(), kNamedIds); ++i) shown.push_back(name(all[i]));
  const int64_t more = count - static_cast<int64_t>(shown.size());
  return "<dt>" + std::string(what) + "</dt><dd>" + join(shown, ", ") +
         (more > 0 ? " and " + grouped(more) + " more" : "") + "</dd>\n";
}

std::string id_details(const Task& task, const Document& document) {
  std::string facts;
  for (const std::string& model : document.evaluation->models) {
    const Transition* t = find_transition(task, model);
    if (!t) continue;
    const std::string shown = name(model);
    facts += ids((shown + ": forgotten").c_str(), t->forgotten_ids, t->forgotten) +
             ids((shown + ": gained").c_str(), t->gained_ids, t->gained);
  }
  if (facts.empty()) return "";
  return "<details>\n<summary>" + name(task.name) +
         " <span class=\"soft\">· which examples</span></summary>\n" + "<dl class=\"facts\">\n" + facts +
         "</dl>\n</details>\n";
}

}  // namespace

std::string evaluation_sections(const Document& document) {
  if (!document.evaluation || document.evaluation->tasks.empty() || document.evaluation->models.empty())
    return "";
  const Evaluation& evaluation = *document.evaluation;
  bool seed = !find_roles(document).seed.empty();
  std::string plot = "<figure>\n" + legend(evaluation.models, document.baseline) +
                     both(dot_plot(document, kWide), dot_plot(document, kNarrow)) + "</figure>\n";
  std::string lead = "Score on each task in percent, with the 95&nbsp;% interval over examples.";
  if (seed) lead += " The dashed line is the seed: left of it is forgetting, right of it is learning.";
  std::string note = "In percent, with the 95&nbsp;% interval.";
  if (seed && evaluation.models.size() > 1)
    note +=
        " Below it the difference from the seed in percentage points, over the same examples where the run "
        "paired them; grey where the paired test does not find it.";
  return section("What was learned, what was forgotten", lead, plot) +
         trade_off_section(trade_off(document),
                           "Means over the tasks of each kind; bars are 95&nbsp;% intervals over examples.") +
         section("Scores", note,
                 (evaluation.models.size() > kColumns ? tables_of_many(document) : table_of_few(document)) +
                     incomplete_table(evaluation) + test_details(evaluation));
}

std::string transition_section(const Document& document) {
  if (!document.evaluation) return "";
  std::vector<std::string> models;
  std::vector<const Task*> tasks;
  bool chance = false;
  for (const Task& task : document.evaluation->tasks) {
    if (task.transitions.empty()) continue;
    tasks.push_back(&task);
    chance = chance || task.chance > 0;
  }
  for (const std::string& model : document.evaluation->models)
    if (std::any_of(tasks.begin(), tasks.end(),
                    [&](const Task* task) { return find_transition(*task, model); }))
      models.push_back(model);
  if (tasks.empty()) return "";
  std::string out;
  for (size_t start = 0; start < models.size(); start += kColumns) {
    const std::vector<std::string> shown(
        models.begin() + static_cast<std::ptrdiff_t>(start),
        models.begin() + static_cast<std::ptrdiff_t>(std::min(models.size(), start + kColumns)));
    std::vector<TableRow> rows;
    for (const Task* task : tasks) {
      TableRow row{name(task->name) + "<span class=\"sub\">n = " + grouped(examples_of(*task)) +
                   (task->chance > 0 ? ", chance " + percent(task->chance) : "") + "</span>"};
      for (const std::string& model : shown) row.cells.push_back(transition_cell(*task, model));
      rows.push_back(std::move(row));
    }
    out += "<div class=\"tall\">\n" +
           data_table(model_columns("Task", shown, document), rows, std::clamp<size_t>(shown.size(), 1, 3)) +
           "</div>\n";
  }
  for (const Task* task : tasks) out += id_details(*task, document);
  return section(
      "Example by example",
      std::string("How many examples the seed had right and the model has wrong (forgotten), and the "
                  "other way round (gained). A score that stands still may hide both; "
                  "p is the chance of so uneven a split if neither direction were favoured (McNemar's "
                  "exact test), of each comparison alone.") +
          (chance ? " Where answers can be guessed, what guessing alone would show is taken off." : ""),
      out);
}

}  // namespace sdft::report
