// What was learned against what was kept: one point a model, target to the right, retained upwards.
#pragma once

#include <string>
#include <vector>

#include "report/compare.h"
#include "report/sweep_rows.h"

namespace sdft::report {

struct TradeOffPoint {
  std::string label;
  std::string group;  // what the legend calls it, and others of its colour
  int slot = 0;       // 0: the seed
  Estimate target{kMissing, kMissing, kMissing}, retained{kMissing, kMissing, kMissing};
};
// Means over tasks with their intervals over examples. Empty, as the other one, where the document does not
// say how variants learned, or fewer than two of them have both scores.
std::vector<TradeOffPoint> trade_off(const Document& document);
// A point a row: means over seeds with their intervals.
std::vector<TradeOffPoint> trade_off(const Sweep& sweep);
// A point a model of each run that has both columns, and one for the seed that they share.
std::vector<TradeOffPoint> trade_off(const std::vector<ComparedRun>& runs, const Measured& target,
                                     const Measured& retained);
// The mean over tasks with its interval over examples; missing where one of them has no score of the model.
Estimate mean_over(const std::vector<const Task*>& tasks, const std::string& model);

// Beside each point its label, where there are few enough to read; intervals are cut at the edges.
std::string scatter(const std::vector<TradeOffPoint>& points, int width);
// The figure in both widths with what explains it, as HTML; "" of no points.
std::string trade_off_section(const std::vector<TradeOffPoint>& points, const std::string& note);

}  // namespace sdft::report
