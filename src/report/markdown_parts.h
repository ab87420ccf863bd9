// Tables of Markdown, and texts in their cells.
#pragma once

#include <string>
#include <vector>

#include "report/format.h"

namespace sdft::report::markdown {

inline std::string cell(const std::string& text) { return escape_markdown(cut_short(clean(text), 80)); }
inline std::string full(const std::string& text) { return escape_markdown(clean(text)); }
inline std::string row(const std::vector<std::string>& cells) { return "| " + join(cells, " | ") + " |\n"; }

// The first `left` columns to the left, the others to the right.
inline std::string head(const std::vector<std::string>& cells, size_t left = 1) {
  std::string rule = "|";
  for (size_t i = 0; i < cells.size(); ++i) rule += i < left ? ":--|" : "--:|";
  return row(cells) + rule + "\n";
}

}  // namespace sdft::report::markdown
