// The report on a terminal: headline, warnings, and the table of the paper in miniature.
#include "base/terminal.h"

#include <algorithm>
#include <functional>

#include "report/expectation.h"
#include "report/format.h"
#include "report/summary.h"
#include "report/terminal_writer.h"
#include "report/verdict.h"
#include "report/watch.h"

namespace sdft::report {
namespace {

constexpr int kLongestName = 26;

Paint paint_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBetter:
      return Paint::kGood;
    case Outcome::kWorse:
      return Paint::kBad;
    default:
      return Paint::kDim;
  }
}

// Right-aligns `text` to `width` columns, so that decimal points stand below each other.
std::string padded(const std::string& text, int width) {
  return std::string(std::max(0, width - display_width(text)), ' ') + text;
}

// One score: value and interval, and below them the difference from the seed; `stacked` puts each on its own
// line.
Cell score_cell(const Task& task, const std::string& model, const std::string& seed, bool stacked) {
  const Score* score = find_score(task, model);
  Cell cell;
  auto add = [&](const std::string& value, const std::string& interval, Paint paint, Paint interval_paint) {
    std::string number = padded(value, 5);
    if (interval.empty() || stacked) cell.push_back({number, paint});
    if (interval.empty()) return;
    if (stacked)
      cell.push_back({interval, interval_paint});
    else
      cell.push_back({number + " " + interval, paint});
  };
  add(score ? percent_bare(score->value) : kDash, score ? percent_interval(score->interval) : "",
      Paint::kPlain, Paint::kDim);
  Comparison change = compare(task, model, seed);
  if (known(change.value)) {
    Paint paint = paint_of(change.outcome());
    add(points(change.value), points_interval(change.interval), paint, paint);
  }
  return cell;
}

std::string count_of(const Task& task) {
  const int64_t n = examples_of(task);
  return n > 0 ? grouped(n) : kDash;
}

using Models = std::vector<std::string>;

std::vector<Row> score_rows(const Evaluation& evaluation, const Roles& roles, const Models& models,
                            bool stacked) {
  Row head{{{{"score, %", Paint::kDim}}, {{"n", Paint::kDim}}}};
  for (const std::string& model : models)
    head.cells.push_back({{padded(cut_columns(one_line(clean(model)), 16), 5), Paint::kBold}});
  std::vector<Row> rows = {head};
  for (const Kind& kind : kKinds) {
    bool headed = false;
    for (const Task& task : evaluation.tasks) {
      if (task.kind != kind.name) continue;
      if (!headed) rows.push_back({{{{kind.title, Paint::kBold}}}});
      headed = true;
      Cell name = {{"  " + cut_columns(one_line(clean(task.name)), kLongestName)}};
      if (!task.metric.empty())
        name.push_back({"  " + cut_columns(one_line(clean(task.metric)), kLongestName), Paint::kDim});
      Row row{{name, {{count_of(task), Paint::kDim}}}};
      for (const std::string& model : models)
        row.cells.push_back(score_cell(task, model, roles.seed, stacked));
      rows.push_back(row);
    }
  }
  return rows;
}

void put_evaluation(Terminal& terminal, const Evaluation& evaluation, const Roles& roles) {
  if (evaluation.tasks.empty() || evaluation.models.empty()) return;
  auto too_wide = [&](const std::vector<Row>& rows) { return table_width(rows) > terminal.columns(); };
  const Models& models = evaluation.models;
  std::vector<Row> rows = score_rows(evaluation, roles, models, false);
  if (!too_wide(rows)) {
    terminal.table(rows);
  } else {  // stacked cells, and as many tables as it takes
    for (size_t start = 0; start < models.size();) {
      size_t count = models.size() - start;
      do {
        rows = score_rows(evaluation, roles, Models(&models[start], &models[start] + count), true);
      } while (too_wide(rows) && --count > 0);
      terminal.table(rows);
      start += std::max<size_t>(count, 1);
      if (start < models.size()) terminal.line();
    }
  }
  std::string note = "[a, b]: 95 % interval over examples.";
  if (!roles.seed.empty() && evaluation.models.size() > 1)
    note += " Below a score: points gained or lost against the seed.";
  if (!tests_of(evaluation).empty())
    note +=
        " “Measurable”: p < 0.05 by a paired test after Holm's correction; report.md has p and the smallest "
        "difference that could be seen.";
  terminal.paragraph({}, {note, Paint::kDim});
  terminal.line();
}

// "loss 2.31 → 0.84 in 250 steps"
std::string training_line(const Curve& curve) {
  auto finite = [](double loss) { return known(loss); };
  auto first = std::find_if(curve.loss.begin(), curve.loss.end(), finite);
  auto last = std::find_if(curve.loss.rbegin(), curve.loss.rend(), finite);
  std::string text = cut_columns(one_line(clean(curve.variant)), 16) + " ";
  text += first == curve.loss.end() ? kDash : decimal(*first, 2) + " → " + decimal(*last, 2);
  if (!curve.step.empty()) text += " in " + plural(curve.step.back(), "step");
  if (!curve.validation_loss.empty()) text += ", best validation " + best_validation(curve);
  return text;
}

// "own answer 120 of 200, candidate 1 60 of 80; 12,345 tokens generated"
std::string rounds_line(const Distillation& d) {
  std::vector<std::string> parts;
  for (const Round& round : d.rounds)
    parts.push_back(cut_columns(one_line(clean(round_in_words(round))), 24) + " " + grouped(round.accepted) +
                    " of " + grouped(round.asked));
  const int64_t tokens = tokens_of(d);
  return join(parts, ", ") + (tokens > 0 ? "; " + grouped(tokens) + " tokens generated" : "");
}

using Add = std::function<void(const std::string& label, const std::string& text)>;

// `further`: one of the sets after the first, in a line.
void add_rewrites(const Distillation& d, bool further, const Add& add) {
  const std::string accepted =
      grouped(d.accepted) + " of " + grouped(d.examples) + " accepted" +
      (d.examples > 0 ? " (" + percent(static_cast<double>(d.accepted) / d.examples) + ")" : "");
  const bool measured = known(d.logprob_original) || known(d.logprob_rewrite);
  const std::string gap = decimal(d.logprob_original, 2) + " → " + decimal(d.logprob_rewrite, 2);
  if (further) {
    add("rewrites", one_line(clean(d.name)) + ": " + accepted + (measured ? ", log-probability " + gap : ""));
    return;
  }
  add("rewrites", accepted);
  if (!d.rounds.empty()) add("rounds", rounds_line(d));
  std::vector<std::string> reasons;
  for (const Count& r : d.rejected)
    if (r.count > 0) reasons.push_back(cut_columns(one_line(clean(r.reason)), 24) + " " + grouped(r.count));
  add("rejected", join(reasons, ", "));
  if (measured)
    add("log-probability", gap + " per token under the seed, originals → rewrites" + measured_part(d));
}

// "plain 12 forgotten, 3 gained; ours 2 forgotten, 4 gained": over the retained and safety tasks.
std::string transitions_line(const Document& document) {
  std::vector<std::string> parts;
  for (const std::string& model : document.evaluation->models) {
    int64_t forgotten = 0, gained = 0, n = 0;
    for (const Task& task : document.evaluation->tasks)
      for (const Transition& t : task.transitions)
        if (t.model == model && task.kind != "target") forgotten += t.forgotten, gained += t.gained, n += t.n;
    if (n > 0)
      parts.push_back(cut_columns(one_line(clean(model)), 16) + " forgot " + grouped(forgotten) +
                      " and gained " + grouped(gained) + " of " + plural(n, "example"));
  }
  return join(parts, "; ");
}

// What the rewrites foretold, and whether it came true.
void add_expectations(const Document& document, const Add& add) {
  for (const Expectation& expectation : find_expectations(document))
    for (const std::string& line : in_lines(expectation)) add("foretold", line);
}

// What else than cross entropy on given answers a variant minimises, and how far each went from the seed.
void add_learning(const Document& document, const Add& add) {
  for (const Learning& one : document.learning)
    if (!is_plain(one))
      add("learns by", one_line(clean(one.variant + ": " + method_in_words(one) +
                                      (one.divergence.empty() ? "" : ", " + one.divergence))));
  for (const std::string& prompts : prompts_of(document.watches)) {
    std::vector<std::string> parts;
    for (const Watch& watch : document.watches)
      if (const double kl = kept_kl(watch, prompts); known(kl))
        parts.push_back(cut_columns(one_line(clean(watch.variant)), 16) + " " + nats(kl));
    if (!parts.empty())
      add("KL to the seed", join(parts, ", ") + " nats a token on " + one_line(clean(prompts)) + " prompts");
  }
}

std::vector<Row> stage_rows(const Document& document) {
  std::vector<Row> rows;
  auto add = [&](const std::string& label, const std::string& text) {
    if (!text.empty()) rows.push_back({{{{label, Paint::kDim}}, {{text}}}});
  };
  for (const Distillation& d : document.distillations)
    add_rewrites(d, &d != document.distillations.data(), add);
  std::vector<std::string> losses;
  for (const Curve& curve : document.training) losses.push_back(training_line(curve));
  add("training loss", join(losses, "; "));
  std::vector<std::string> shifts;
  for (const Shift& shift : document.shifts)
    shifts.push_back(cut_columns(one_line(clean(shift.variant)), 16) + " " + small_percent(shift.total));
  add("weights moved", join(shifts, "; "));
  add_learning(document, add);
  if (document.evaluation) add("by example", transitions_line(document));
  add_expectations(document, add);
  double seconds = 0;
  for (const Timing& timing : document.timings) seconds += known(timing.seconds) ? timing.seconds : 0;
  if (!document.timings.empty()) add("time", duration(seconds));
  if (known(document.peak_memory_bytes)) add("peak memory", bytes(document.peak_memory_bytes));
  if (known(document.peak_device_memory_bytes))
    add("peak on device", bytes(document.peak_device_memory_bytes));
  return rows;
}

std::string subtitle(const Run& run) {
  std::vector<std::string> parts;
  std::string model = cut_columns(one_line(clean(run.seed_model.path)), 48);
  if (!model.empty()) parts.push_back(model);
  if (run.seed_model.parameters > 0) parts.push_back(parameters(run.seed_model.parameters) + " parameters");
  if (!run.date.empty()) parts.push_back(one_line(clean(run.date)));
  if (!run.version.empty()) parts.push_back("sdft " + one_line(clean(run.version)));
  return join(parts, " · ");
}

}  // namespace

std::string to_terminal(const Document& document, const TerminalStyle& style) {
  Terminal terminal(style);
  terminal.paragraph({}, {one_line(clean(document.run.title)), Paint::kBold});
  if (!subtitle(document.run).empty()) terminal.paragraph({}, {subtitle(document.run), Paint::kDim});
  terminal.line();
  for (const std::string& warning : find_warnings(document))
    terminal.paragraph({"! ", Paint::kWarn}, {warning, Paint::kWarn});
  if (!find_warnings(document).empty()) terminal.line();
  Verdict verdict = find_verdict(document);
  terminal.paragraph({}, {verdict.headline, Paint::kBold});
  std::vector<VerdictLine> lines = verdict.kinds;
  lines.insert(lines.end(), verdict.conclusion.begin(), verdict.conclusion.end());
  size_t widest = 0;
  for (const VerdictLine& line : lines) widest = std::max(widest, line.label.size());
  for (const VerdictLine& line : lines)
    terminal.paragraph({line.label + std::string(widest - line.label.size() + 2, ' '), Paint::kDim},
                       {line.text});
  terminal.line();
  if (document.evaluation) put_evaluation(terminal, *document.evaluation, find_roles(document));
  for (const Row& row : stage_rows(document)) {
    const std::string& label = row.cells[0][0].text;
    terminal.paragraph({label + std::string(17 - label.size(), ' '), Paint::kDim}, row.cells[1][0]);
  }
  return terminal.take();
}

TerminalStyle terminal_style(int fd) {
  TerminalStyle style;
  style.colour = shows_colours(fd);
  if (const int columns = terminal_columns(fd); columns > 0) style.columns = columns;
  return style;
}

}  // namespace sdft::report
