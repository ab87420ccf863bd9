#include "report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/format.h"

namespace sdft::report {

// Shapes differ as well as colours, for those who cannot tell the colours apart: drawn from the centre, full
// or hollow.
struct Shape {
  const char* path;
  bool hollow;
};
static constexpr const char* kCircle = "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z";
static constexpr const char* kDiamond = "m0-5l5 5-5 5-5-5z";
static constexpr const char* kSquare = "m-4-4h8v8h-8z";
static constexpr const char* kUp = "m0-5l5 9h-10z";
static constexpr const char* kDown = "m0 5l5-9h-10z";
static constexpr const char* kPlus = "m-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z";
static constexpr const char* kHexagon = "m-5 0l2.5-4.3h5l2.5 4.3-2.5 4.3h-5z";
static constexpr const char* kBar = "m-2-5h4v10h-4z";
static constexpr std::array<Shape, kSlots> kShapes = {{{"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", true},
                                                       {kDiamond, false},
                                                       {kCircle, false},
                                                       {kSquare, false},
                                                       {kUp, false},
                                                       {kDown, false},
                                                       {kPlus, false},
                                                       {kHexagon, false},
                                                       {kBar, false},
                                                       {kSquare, true},
                                                       {kUp, true},
                                                       {kDown, true},
                                                       {kDiamond, true}}};

std::string marker(int slot, double x, double y) {
  const Shape& shape = kShapes[static_cast<size_t>(slot) % kShapes.size()];
  return fmt::format("<path class=\"mark {}m{}\" d=\"M{:.1f} {:.1f}{}\"/>", shape.hollow ? "hollow " : "",
                     slot, x, y, shape.path);
}

std::string marker_icon(int slot) {
  return "<svg class=\"icon\" viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">" +
         marker(slot, 7, 7) + "</svg>";
}

std::string svg_text(double x, double y, const char* cls, const std::string& words) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", cls, x, y, escape_html(words));
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& cls) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", cls, x1,
                     y1, x2, y2);
}

std::string whisker_across(double low, double high, double y, int slot) {
  const std::string cls = fmt::format("whisker m{}", slot);
  return svg_line(low, y, high, y, cls) + svg_line(low, y - 3, low, y + 3, cls) +
         svg_line(high, y - 3, high, y + 3, cls);
}

std::string whisker_up(double x, double low, double high, int slot) {
  const std::string cls = fmt::format("whisker m{}", slot);
  return svg_line(x, low, x, high, cls) + svg_line(x - 3, low, x + 3, low, cls) +
         svg_line(x - 3, high, x + 3, high, cls);
}

std::string open_svg(int width, double height, const std::string& label) {
  return fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" height=\"{1:.0f}\" role=\"img\" "
      "aria-label=\"{2}\">",
      width, height, escape_html(label));
}

Axis nice_axis(double low, double high, int ticks) {
  if (low > 0 && low < high / 2) low = 0;
  if (!(high > low)) {  // flat
    double pad = std::max(std::fabs(high) * 0.1, 1e-9);
    low = high == 0 ? 0 : low - pad;
    high += pad;
  }
  double raw = (high - low) / ticks;
  double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = power * (raw / power <= 1 ? 1 : raw / power <= 2 ? 2 : raw / power <= 5 ? 5 : 10);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

std::string tick_label(double value, double most) {
  if (value == 0) return "0";
  if (most < 1e-3 || most >= 1e6) {
    int exponent = static_cast<int>(std::floor(std::log10(std::fabs(value)) + 1e-9));
    std::string digits = significant(value / std::pow(10.0, exponent), 3);
    return digits + "e" + std::to_string(exponent);
  }
  return most >= 1000 ? grouped(std::llround(value)) : significant(value, 4);
}

}  // namespace sdft::report
