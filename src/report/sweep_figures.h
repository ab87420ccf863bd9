// The figures of a sweep: which ones its data call for, and their drawing as inline SVG (svg.h).
#pragma once

#include <string>
#include <vector>

#include "report/sweep_rows.h"

namespace sdft::report {

struct SweepPoint {
  double x = 0;    // of a line
  std::string at;  // of dots: the value they stand at
  Estimate y{kMissing, kMissing, kMissing};
};
// Runs that differ in the figure's key alone (and in their seed).
struct SweepSeries {
  std::string label;
  int slot = 0;
  bool level = false;  // its runs do not have the key: one point, which holds everywhere
  std::vector<SweepPoint> points;
};
struct SweepFigure {
  std::string key;                               // on the axis; "variant" where nothing but seeds was swept
  bool numbers = false;                          // a line chart, else dots
  std::vector<std::string> values;               // of the key, in the order of the rows
  std::vector<std::string> measures;             // "forgetting", "target": a drawing each
  std::vector<std::vector<SweepSeries>> series;  // of each measure
};
std::vector<SweepFigure> figures_of(const Sweep& sweep);

// The figure's i-th drawing. Intervals that would make the rest too small are cut at the edges.
std::string draw(const SweepFigure& figure, size_t i, int width);

}  // namespace sdft::report
