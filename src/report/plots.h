// The figures of a run's report, as inline SVG (svg.h).
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "report/svg.h"

namespace sdft::report {

// A model's slot among `models`.
int model_slot(const std::string& model, const std::vector<std::string>& models, const std::string& baseline);

// Per task the score of each model with its interval; a dashed line marks the seed. The document has an
// evaluation. `width` in pixels: wide enough, the names of the tasks stand beside the lanes, else above them;
// of more than five models each lane has its name.
std::string dot_plot(const Document& document, int width);

enum class Marks { kNone, kLowest, kAll };
struct Series {
  int slot = 0;
  std::string name;
  std::vector<int64_t> x;
  std::vector<double> y;  // NaN leaves a gap
  bool dashed = false;    // its gaps are bridged: a loss measured now and then
  Marks marks = Marks::kNone;
};
struct ChartSize {
  int width = 0;
  int height = 0;
};
// Lines over steps; a series of more points than can be told apart is drawn as means of neighbours.
inline constexpr size_t kMostPoints = 240;
std::string line_chart(const std::string& title, const std::vector<Series>& series, const ChartSize& size);

// Two histograms over each other: of the originals' log-probabilities and of the rewrites'.
std::string histogram_chart(const Histogram& histogram, const ChartSize& size);

// Layers × modules, the darker the further a module moved; `most` is the darkest. "" where there are no
// modules.
std::string heat_map(const Shift& shift, double most, int width);

}  // namespace sdft::report
