// Axes of values that are shown in percent: fractions in, pixels out.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "eval/statistics.h"
#include "report/svg.h"

namespace sdft::report {

struct ValueRange {
  double low = INFINITY, high = -INFINITY;
  bool empty() const { return !(low <= high); }
  void add(double value);
};
// What an axis has to hold: all values, and of the intervals what does not make the values small.
ValueRange range_of(const std::vector<Estimate>& values, bool zero);

struct ValueAxis {
  Axis axis;          // in percent
  double start, end;  // pixels
  double operator()(double value) const;
};
ValueAxis value_axis(ValueRange range, int ticks, double start, double end);

struct Tick {
  double value;  // a fraction
  std::string label;
};
std::vector<Tick> ticks_of(const Axis& axis);

}  // namespace sdft::report
