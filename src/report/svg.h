// What all figures are made of: inline SVG whose colours and fonts come from the page's style sheet (classes
// m0 … m12 for models), so that one drawing serves the light theme, the dark one and print.
#pragma once

#include <string>

namespace sdft::report {

// Colour and marker of a model: 0 the seed, 1 the baseline, the others from 2 on; with more models than slots
// the later ones use them again.
inline constexpr int kSlots = 13;
std::string marker(int slot, double x, double y);
// A model's marker alone, for legends.
std::string marker_icon(int slot);

std::string svg_text(double x, double y, const char* cls, const std::string& words);
std::string svg_line(double x1, double y1, double x2, double y2, const std::string& cls);
// A value's interval: a line from `low` to `high` with ends across it.
std::string whisker_across(double low, double high, double y, int slot);
std::string whisker_up(double x, double low, double high, int slot);
// `label` is what is read to those who do not see the figure. Closed by "</svg>\n".
std::string open_svg(int width, double height, const std::string& label);

struct Axis {
  double low = 0, high = 1, step = 1;
};
// Round steps of 1, 2 or 5 times a power of ten; starts at 0 unless that would waste more than half of the
// height.
Axis nice_axis(double low, double high, int ticks);
// One way of writing for all ticks of an axis: "5e-5" below a thousandth, "2,000" above.
std::string tick_label(double value, double most);

}  // namespace sdft::report
