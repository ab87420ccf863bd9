// CSV as RFC 4180 has it, and as spreadsheets write it: quotes, doubled quotes, line breaks in quotes, LF,
// CRLF or CR, a UTF-8 byte order mark.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

struct CsvRow {
  size_t line;  // on which the row begins, from 1
  std::vector<std::string> cells;
};

// Calls `use` with each row, the header row included, until it returns false. Blank lines are no rows. A
// quote inside a cell that did not begin with one is an ordinary character. Throws Error(kInput) naming
// `where` and the line: a quote that is never closed, text after a closing quote, bytes that are not UTF-8.
void for_each_csv_row(std::string_view text, const std::string& where,
                      const std::function<bool(CsvRow&& row)>& use, char delimiter = ',');

}  // namespace sdft
