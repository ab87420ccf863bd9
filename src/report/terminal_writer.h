// A terminal's lines: paint, paragraphs, tables.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

enum class Paint { kPlain, kBold, kDim, kGood, kBad, kWarn };

struct Text {
  std::string text;
  Paint paint = Paint::kPlain;
};
using Cell = std::vector<Text>;  // its lines
struct Row {
  std::vector<Cell> cells;
};
int table_width(const std::vector<Row>& rows);  // in columns of a terminal

class Terminal {
 public:
  explicit Terminal(const TerminalStyle& style);

  int columns() const { return columns_; }
  void line(const Text& text = {});
  // Wrapped, the first line after `mark` and the others indented as far.
  void paragraph(const Text& mark, const Text& text);
  // Columns as wide as their widest line, two spaces apart.
  void table(const std::vector<Row>& rows);
  // As many tables as it takes, one below the other, each followed by an empty line: `rows` makes one of some
  // of `columns` besides its first.
  void tables(size_t columns, const std::function<std::vector<Row>(size_t first, size_t count)>& rows);
  std::string take();

 private:
  std::string paint(const Text& text) const;
  void table_line(const Row& row, size_t k, const std::vector<int>& widths);

  std::string out_;
  bool colour_;
  int columns_;
};

}  // namespace sdft::report
