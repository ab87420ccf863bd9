// Tables of Markdown, and texts in their cells.
#pragma once

#include <string>
#include <vector>

#include "report/format.h"
#include "report/verdict.h"
#include "report/watch.h"

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

// "71.0 [64.4, 76.8]", percent.
inline std::string score_text(const Task& task, const std::string& model) {
  const Score* score = find_score(task, model);
  std::string interval = score ? percent_interval(score->interval) : "";
  return (score ? percent_bare(score->value) : kDash) + (interval.empty() ? "" : " " + interval);
}

inline std::string learning_lines(const std::vector<Learning>& learning) {
  std::string out;
  for (const Learning& one : learning) {
    std::vector<std::string> parts = {method_in_words(one)};
    if (!one.divergence.empty()) parts.push_back(one.divergence);
    if (const std::string more = settings_in_words(one); !more.empty()) parts.push_back(more);
    out += "- " + cell(one.variant) + ": " + full(join(parts, "; ")) + "\n";
  }
  return out;
}

}  // namespace sdft::report::markdown
