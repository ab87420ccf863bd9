// Plots as inline SVG. Colours and fonts come from the page's style sheet (classes m0 … m4 for models), so
// that one drawing serves the light theme, the dark one and print.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace sdft::report {

// Colour and marker of a model: 0 the seed, 1 the baseline, 2 the tuned one, 3 and 4 others.
int model_slot(const std::string& model, const std::vector<std::string>& models, const std::string& baseline);
// A model's marker alone, for legends.
std::string marker_icon(int slot);

// Per task the score of each model with its interval; a dashed line marks the seed. The document has an
// evaluation. `width` in pixels: wide enough, the names stand beside the lanes, else above them.
std::string dot_plot(const Document& document, int width);

struct Series {
  int slot = 0;
  std::string name;
  std::vector<int64_t> x;
  std::vector<double> y;  // NaN leaves a gap
};
struct ChartSize {
  int width = 0;
  int height = 0;
};
// Lines over steps; a series of more points than can be told apart is drawn as means of neighbours.
inline constexpr size_t kMostPoints = 240;
std::string line_chart(const std::string& title, const std::vector<Series>& series, const ChartSize& size);

}  // namespace sdft::report
