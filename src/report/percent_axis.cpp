#include "report/percent_axis.h"

#include <algorithm>

#include "report/format.h"

namespace sdft::report {

void ValueRange::add(double value) {
  if (!known(value) || std::fabs(value) > 1e30) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

ValueRange range_of(const std::vector<Estimate>& all, bool zero) {
  ValueRange values;
  if (zero) values.add(0);
  for (const Estimate& one : all) values.add(one.value);
  if (values.empty()) return values;
  const double most = std::max((values.high - values.low) * 0.75, 0.05);
  ValueRange range = values;
  for (const Estimate& one : all) {
    if (!known(one.value)) continue;
    range.add(std::max(one.low, values.low - most));
    // Shares end at 1, which their t intervals do not know.
    range.add(std::min({one.high, values.high + most, std::max(1.0, values.high)}));
  }
  return range;
}

double ValueAxis::operator()(double value) const {
  const double at = std::clamp((100 * value - axis.low) / (axis.high - axis.low), 0.0, 1.0);
  return start + at * (end - start);
}

ValueAxis value_axis(ValueRange range, int ticks, double start, double end) {
  if (range.high - range.low < 0.01) range = {range.low - 0.005, range.high + 0.005};  // a point at least
  return {nice_axis(100 * range.low, 100 * range.high, ticks), start, end};
}

std::vector<Tick> ticks_of(const Axis& axis) {
  std::vector<Tick> ticks;
  const double most = std::max(std::fabs(axis.low), std::fabs(axis.high));
  for (int i = 0; i <= 20 && axis.low + i * axis.step <= axis.high + axis.step / 2; ++i) {
    double value = axis.low + i * axis.step;
    if (std::fabs(value) < axis.step * 1e-6) value = 0;
    std::string label = tick_label(value, most);
    if (label[0] == '-') label = "−" + label.substr(1);
    ticks.push_back({value / 100, label});
  }
  return ticks;
}

}  // namespace sdft::report
