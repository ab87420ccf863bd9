// The report on a terminal: headline, warnings, and the table of the paper in miniature.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "report/format.h"
#include "report/report.h"
#include "report/verdict.h"

namespace sdft::report {
namespace {

enum class Paint { kPlain, kBold, kDim, kGood, kBad, kWarn };

constexpr int kFewestColumns = 40, kMostColumns = 120;
constexpr int kLongestName = 26;

struct Text {
  std::string text;
  Paint paint = Paint::kPlain;
};
using Cell = std::vector<Text>;  // its lines
struct Row {
  std::vector<Cell> cells;
};

class Terminal {
 public:
  explicit Terminal(const TerminalStyle& style)
      : colour_(style.colour), columns_(std::clamp(style.columns, kFewestColumns, kMostColumns)) {}

  int columns() const { return columns_; }

  std::string paint(const Text& text) const {
    static constexpr const char* kCodes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[33m"};
    const char* code = kCodes[static_cast<int>(text.paint)];
    if (!colour_ || !*code || text.text.empty()) return text.text;
    return code + text.text + "\033[0m";
  }

  void line(const Text& text = {}) { out_ += paint(text) + "\n"; }

  // Wrapped, the first line after `mark` and the others indented as far.
  void paragraph(const Text& mark, const Text& text) {
    int indent = display_width(mark.text);
    bool first = true;
    for (const std::string& piece : wrap(text.text, columns_ - indent)) {
      out_ += first ? paint(mark) : std::string(indent, ' ');
      out_ += paint({piece, text.paint}) + "\n";
      first = false;
    }
  }

  // Columns as wide as their widest line, two spaces apart.
  void table(const std::vector<Row>& rows) {
    std::vector<int> widths;
    for (const Row& row : rows) {
      if (row.cells.size() > widths.size()) widths.resize(row.cells.size());
      for (size_t i = 0; i + (row.cells.size() == 1) < row.cells.size(); ++i)  // a lone cell is a heading
        for (const Text& text : row.cells[i]) widths[i] = std::max(widths[i], display_width(text.text));
    }
    for (const Row& row : rows) {
      size_t height = 1;
      for (const Cell& cell : row.cells) height = std::max(height, cell.size());
      for (size_t k = 0; k < height; ++k) table_line(row, k, widths);
    }
  }

  std::string take() { return plain_spaces(std::move(out_)); }

 private:
  void table_line(const Row& row, size_t k, const std::vector<int>& widths) {
    std::string line;
    int pending = 0;  // spaces owed; none are left at the end of a line
    for (size_t i = 0; i < row.cells.size(); ++i) {
      Text text = k < row.cells[i].size() ? row.cells[i][k] : Text{};
      if (!text.text.empty()) {
        line += std::string(pending, ' ') + paint(text);
        pending = 0;
      }
      pending += widths[i] - display_width(text.text) + 2;
    }
    out_ += line + "\n";
  }

  std::string out_;
  bool colour_;
  int columns_;
};

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

int table_width(const std::vector<Row>& rows) {
  std::vector<int> widths;
  for (const Row& row : rows)
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      for (const Text& text : row.cells[i]) widths[i] = std::max(widths[i], display_width(text.text));
    }
  int total = -2;
  for (int width : widths) total += width + 2;
  return total;
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
  return text;
}

std::vector<Row> stage_rows(const Document& document) {
  std::vector<Row> rows;
  auto add = [&](const std::string& label, const std::string& text) {
    if (!text.empty()) rows.push_back({{{{label, Paint::kDim}}, {{text}}}});
  };
  if (document.distillation) {
    const Distillation& d = *document.distillation;
    add("rewrites",
        grouped(d.accepted) + " of " + grouped(d.examples) + " accepted" +
            (d.examples > 0 ? " (" + percent(static_cast<double>(d.accepted) / d.examples) + ")" : "") +
            (d.accepted_at.size() > 1 ? ", " + grouped(d.accepted_at[0]) + " of them at the first of " +
                                            plural(static_cast<int64_t>(d.accepted_at.size()), "attempt")
                                      : ""));
    std::vector<std::string> reasons;
    for (const Rejection& r : d.rejected)
      if (r.count > 0) reasons.push_back(cut_columns(one_line(clean(r.reason)), 24) + " " + grouped(r.count));
    add("rejected", join(reasons, ", "));
    if (known(d.logprob_original) || known(d.logprob_rewrite))
      add("log-probability", decimal(d.logprob_original, 2) + " → " + decimal(d.logprob_rewrite, 2) +
                                 " per token under the seed, originals → rewrites");
  }
  std::vector<std::string> losses;
  for (const Curve& curve : document.training) losses.push_back(training_line(curve));
  add("training loss", join(losses, "; "));
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
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  bool dumb = term && std::string(term) == "dumb";
  style.colour = ::isatty(fd) && !(no_colour && *no_colour) && !dumb;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  return style;
}

}  // namespace sdft::report
