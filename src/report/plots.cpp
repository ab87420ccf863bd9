#include "report/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/verdict.h"

namespace sdft::report {

int model_slot(const std::string& model, const std::vector<std::string>& models,
               const std::string& baseline) {
  if (model == "seed") return 0;
  if (model == baseline) return 1;
  int slot = 2;
  for (const std::string& other : models) {
    if (other == model) break;
    if (other != "seed" && other != baseline) ++slot;
  }
  return std::min(slot, 4);
}

// Shapes differ as well as colours, for those who cannot tell the colours apart.
static std::string marker(int slot, double x, double y) {
  std::string cls = fmt::format("class=\"mark m{}\"", slot);
  switch (slot) {
    case 1:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l5 5-5 5-5-5z\"/>", cls, x, y - 5);
    case 2:
      return fmt::format("<circle {} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", cls, x, y);
    case 3:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}h8v8h-8z\"/>", cls, x - 4, y - 4);
    case 4:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l5 9h-10z\"/>", cls, x, y - 5);
    default:
      return fmt::format("<circle class=\"mark hollow m0\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>", x, y);
  }
}

std::string marker_icon(int slot) {
  return "<svg class=\"icon\" viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">" +
         marker(slot, 7, 7) + "</svg>";
}

static std::string text(double x, double y, const char* cls, const std::string& words) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", cls, x, y, escape_html(words));
}

static std::string line(double x1, double y1, double x2, double y2, const std::string& cls) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", cls, x1,
                     y1, x2, y2);
}

static std::string open_svg(int width, double height, const std::string& label) {
  return fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" height=\"{1:.0f}\" role=\"img\" "
      "aria-label=\"{2}\">",
      width, height, escape_html(label));
}

// --- Dot plot ---

namespace {

constexpr double kLane = 15, kRowGap = 16, kHeading = 26, kAxis = 22, kLabel = 18;

struct Frame {
  double left, right;
  double x(double fraction) const { return left + std::clamp(fraction, 0.0, 1.0) * (right - left); }
};

std::string score_mark(const Task& task, const std::string& model, int slot, double y, const Frame& frame) {
  const Score* score = find_score(task, model);
  if (!score || !known(score->value)) return text(frame.left + 4, y + 4, "faint", kDash);
  std::string interval = percent_interval(score->interval);
  std::string out = "<g><title>" +
                    escape_html(one_line(clean(model)) + " " + percent(score->value) +
                                (interval.empty() ? "" : " " + interval) + ", n = " + grouped(score->n)) +
                    "</title>";
  if (!interval.empty()) {
    double low = frame.x(score->interval.low), high = frame.x(score->interval.high);
    std::string cls = fmt::format("whisker m{}", slot);
    out +=
        line(low, y, high, y, cls) + line(low, y - 3, low, y + 3, cls) + line(high, y - 3, high, y + 3, cls);
  }
  return out + marker(slot, frame.x(score->value), y) + "</g>";
}

std::string task_rows(const Task& task, const Document& document, const Frame& frame, bool beside,
                      double& y) {
  const Evaluation& evaluation = *document.evaluation;
  double lanes = kLane * static_cast<double>(evaluation.models.size());
  std::string name = one_line(clean(task.name)), out;
  if (beside) {
    out += text(0, y + lanes / 2 + 4, "label", cut_short(name, 29));
  } else {
    out += text(0, y + 12, "label", cut_short(name, 44));
    y += kLabel;
  }
  double seed = score_value(task, find_roles(document).seed);
  if (known(seed)) out += line(frame.x(seed), y, frame.x(seed), y + lanes, "seedline");
  for (const std::string& model : evaluation.models) {
    out += score_mark(task, model, model_slot(model, evaluation.models, document.baseline), y + kLane / 2,
                      frame);
    y += kLane;
  }
  y += kRowGap;
  return out;
}

std::string percent_axis(const Frame& frame, double top, double bottom) {
  std::string out;
  for (int mark = 0; mark <= 100; mark += 25) {
    double x = frame.x(mark / 100.0);
    out += line(x, top, x, bottom, "grid");
    const char* cls = mark == 0 ? "tick" : mark == 100 ? "tick end" : "tick mid";
    out += text(x, bottom + 16, cls, std::to_string(mark) + (mark == 100 ? " %" : ""));
  }
  return out;
}

}  // namespace

std::string dot_plot(const Document& document, int width) {
  bool beside = width >= 560;
  Frame frame{beside ? 212.0 : 6.0, width - 8.0};
  double y = 4;
  std::string rows;
  for (const Kind& kind : kKinds) {
    bool headed = false;
    for (const Task& task : document.evaluation->tasks) {
      if (task.kind != kind.name) continue;
      if (!headed) rows += text(0, y + 14, "kind", kind.title);
      if (!headed) y += kHeading;
      headed = true;
      rows += task_rows(task, document, frame, beside, y);
    }
  }
  double bottom = y - kRowGap / 2;
  return open_svg(width, bottom + kAxis,
                  "Scores of each model on each task, in percent, with 95 % intervals") +
         percent_axis(frame, 0, bottom) + rows + "</svg>\n";
}

// --- Line chart ---

namespace {

struct Axis {
  double low = 0, high = 1, step = 1;
};

constexpr double kHuge = 1e30;  // beyond it nothing is drawn: a diverged run

// Round steps of 1, 2 or 5 times a power of ten; starts at 0 unless that would waste more than half of the
// height.
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

Series thinned(const Series& series) {
  size_t n = std::min(series.x.size(), series.y.size());
  size_t bucket = (n + kMostPoints - 1) / kMostPoints;
  Series out{series.slot, series.name, {}, {}};
  for (size_t start = 0; start < n; start += std::max<size_t>(bucket, 1)) {
    size_t end = std::min(n, start + bucket);
    double sum = 0;
    for (size_t i = start; i < end; ++i) sum += series.y[i];  // NaN in, NaN out: the gap stays
    out.x.push_back(series.x[(start + end - 1) / 2]);
    out.y.push_back(sum / static_cast<double>(end - start));
  }
  return out;
}

struct Plane {
  Axis x, y;
  double left, right, top, bottom;
  double px(double value) const { return left + (value - x.low) / (x.high - x.low) * (right - left); }
  double py(double value) const { return bottom - (value - y.low) / (y.high - y.low) * (bottom - top); }
};

std::string polyline(const Series& series, const Plane& plane) {
  std::string path;
  bool pen_down = false;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!known(series.y[i])) {
      pen_down = false;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", plane.px(static_cast<double>(series.x[i])),
                        plane.py(series.y[i]));
    if (!pen_down) path += "h0";  // a lone point is drawn as a dot
    pen_down = true;
  }
  return fmt::format("<path class=\"curve m{}\" d=\"{}\"><title>{}</title></path>", series.slot, path,
                     escape_html(one_line(clean(series.name))));
}

// One way of writing for all ticks of an axis: "5e-5" below a thousandth, "2,000" above.
std::string tick_label(double value, double most) {
  if (value == 0) return "0";
  if (most < 1e-3 || most >= 1e6) {
    int exponent = static_cast<int>(std::floor(std::log10(std::fabs(value)) + 1e-9));
    std::string digits = significant(value / std::pow(10.0, exponent), 3);
    return digits + "e" + std::to_string(exponent);
  }
  return most >= 1000 ? grouped(std::llround(value)) : significant(value, 4);
}

std::string axes(const Plane& plane) {
  double most = std::max(std::fabs(plane.y.low), std::fabs(plane.y.high));
  std::string out;
  for (int i = 0; i <= 20 && plane.y.low + i * plane.y.step <= plane.y.high + plane.y.step / 2; ++i) {
    double value = plane.y.low + i * plane.y.step;
    if (std::fabs(value) < plane.y.step * 1e-6) value = 0;
    out += line(plane.left, plane.py(value), plane.right, plane.py(value), "grid");
    out += text(plane.left - 8, plane.py(value) + 4, "tick end", tick_label(value, most));
  }
  out += text(plane.left, plane.bottom + 18, "tick", grouped(static_cast<int64_t>(plane.x.low)));
  out +=
      text(plane.right, plane.bottom + 18, "tick end", "step " + grouped(static_cast<int64_t>(plane.x.high)));
  return out;
}

}  // namespace

std::string line_chart(const std::string& title, const std::vector<Series>& series, const ChartSize& size) {
  std::vector<Series> drawn;
  double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
  for (const Series& one : series) {
    drawn.push_back(thinned(one));
    for (double& y : drawn.back().y)
      if (!(std::fabs(y) < kHuge)) y = kMissing;
    for (double y : drawn.back().y)
      if (known(y)) low = std::min(low, y), high = std::max(high, y);
    if (!one.x.empty()) {
      first = std::min(first, static_cast<double>(*std::min_element(one.x.begin(), one.x.end())));
      last = std::max(last, static_cast<double>(*std::max_element(one.x.begin(), one.x.end())));
    }
  }
  std::string out =
      open_svg(size.width, size.height, title + " over training steps") + text(0, 13, "kind", title);
  if (!(low <= high)) return out + text(0, 40, "faint", "no values") + "</svg>\n";
  if (first == last) first -= 1, last += 1;
  Plane plane{{first, last, 1},  nice_axis(low, high, size.height >= 200 ? 5 : 3), 52, size.width - 6.0, 28,
              size.height - 26.0};
  out += axes(plane);
  for (const Series& one : drawn) out += polyline(one, plane);
  return out + "</svg>\n";
}

}  // namespace sdft::report
