#include "report/terminal_writer.h"

#include <algorithm>

#include "report/format.h"

namespace sdft::report {

static constexpr int kFewestColumns = 40, kMostColumns = 120;

Terminal::Terminal(const TerminalStyle& style)
    : colour_(style.colour), columns_(std::clamp(style.columns, kFewestColumns, kMostColumns)) {}

std::string Terminal::paint(const Text& text) const {
  static constexpr const char* kCodes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[33m"};
  const char* code = kCodes[static_cast<int>(text.paint)];
  if (!colour_ || !*code || text.text.empty()) return text.text;
  return code + text.text + "\033[0m";
}

void Terminal::line(const Text& text) { out_ += paint(text) + "\n"; }

void Terminal::paragraph(const Text& mark, const Text& text) {
  int indent = display_width(mark.text);
  bool first = true;
  for (const std::string& piece : wrap(text.text, columns_ - indent)) {
    out_ += first ? paint(mark) : std::string(indent, ' ');
    out_ += paint({piece, text.paint}) + "\n";
    first = false;
  }
}

void Terminal::table(const std::vector<Row>& rows) {
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

void Terminal::tables(size_t columns,
                      const std::function<std::vector<Row>(size_t first, size_t count)>& rows) {
  for (size_t start = 0; start < columns;) {
    size_t count = columns - start;
    std::vector<Row> some = rows(start, count);
    while (table_width(some) > columns_ && count > 1) some = rows(start, --count);
    table(some);
    line();
    start += count;
  }
}

std::string Terminal::take() { return plain_spaces(std::move(out_)); }

void Terminal::table_line(const Row& row, size_t k, const std::vector<int>& widths) {
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

}  // namespace sdft::report
