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
  return 2 + (slot - 2) % (kSlots - 2);
}

// --- Dot plot ---

namespace {

constexpr size_t kFewModels = 5;
constexpr double kLane = 15, kRowGap = 16, kHeading = 26, kAxis = 22, kLabel = 18;

struct Frame {
  double left, right;
  double x(double fraction) const { return left + std::clamp(fraction, 0.0, 1.0) * (right - left); }
};

std::string score_mark(const Task& task, const std::string& model, int slot, double y, const Frame& frame) {
  const Score* score = find_score(task, model);
  if (!score || !known(score->value)) return svg_text(frame.left + 4, y + 4, "faint", kDash);
  std::string interval = percent_interval(score->interval);
  std::string out = "<g><title>" +
                    escape_html(one_line(clean(model)) + " " + percent(score->value) +
                                (interval.empty() ? "" : " " + interval) + ", n = " + grouped(score->n)) +
                    "</title>";
  if (!interval.empty()) {
    out += whisker_across(frame.x(score->interval.low), frame.x(score->interval.high), y, slot);
  }
  return out + marker(slot, frame.x(score->value), y) + "</g>";
}

// How the lanes of a plot are laid out: where there are many models, each lane has its name in front and the
// task's stands above them all.
struct Layout {
  Frame frame;
  bool named;      // lanes have their models' names
  bool beside;     // the task's name is beside the lanes, not above
  size_t longest;  // of a model's name
};

Layout layout_of(size_t models, int width) {
  const bool named = models > kFewModels, wide = width >= 560;
  const double left = wide ? 212.0 : named ? 96.0 : 6.0;
  return {{left, width - 8.0}, named, wide && !named, wide ? 28u : 13u};
}

std::string task_rows(const Task& task, const Document& document, const Layout& layout, double& y) {
  const Evaluation& evaluation = *document.evaluation;
  const Frame& frame = layout.frame;
  double lanes = kLane * static_cast<double>(evaluation.models.size());
  std::string name = one_line(clean(task.name)), out;
  if (layout.beside) {
    out += svg_text(0, y + lanes / 2 + 4, "label", cut_short(name, 29));
  } else {
    out += svg_text(0, y + 12, "label", cut_short(name, 44));
    y += kLabel;
  }
  double seed = score_value(task, find_roles(document).seed);
  if (known(seed)) out += svg_line(frame.x(seed), y, frame.x(seed), y + lanes, "seedline");
  for (const std::string& model : evaluation.models) {
    if (layout.named)
      out += svg_text(frame.left - 10, y + kLane / 2 + 4, "tick end",
                      cut_short(one_line(clean(model)), layout.longest));
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
    out += svg_line(x, top, x, bottom, "grid");
    const char* cls = mark == 0 ? "tick" : mark == 100 ? "tick end" : "tick mid";
    out += svg_text(x, bottom + 16, cls, std::to_string(mark) + (mark == 100 ? " %" : ""));
  }
  return out;
}

}  // namespace

std::string dot_plot(const Document& document, int width) {
  const Layout layout = layout_of(document.evaluation->models.size(), width);
  double y = 4;
  std::string rows;
  for (const Kind& kind : kKinds) {
    bool headed = false;
    for (const Task& task : document.evaluation->tasks) {
      if (task.kind != kind.name) continue;
      if (!headed) rows += svg_text(0, y + 14, "kind", kind.title);
      if (!headed) y += kHeading;
      headed = true;
      rows += task_rows(task, document, layout, y);
    }
  }
  double bottom = y - kRowGap / 2;
  return open_svg(width, bottom + kAxis,
                  "Scores of each model on each task, in percent, with 95 % intervals") +
         percent_axis(layout.frame, 0, bottom) + rows + "</svg>\n";
}

// --- Line chart ---

namespace {

constexpr double kHuge = 1e30;  // beyond it nothing is drawn: a diverged run

// Of a dashed series the points that were measured.
Series measured(const Series& series) {
  Series out{series.slot, series.name, {}, {}, series.dashed, series.marks};
  for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
    if (!known(series.y[i])) continue;
    out.x.push_back(series.x[i]);
    out.y.push_back(series.y[i]);
  }
  return out;
}

Series thinned(const Series& series) {
  size_t n = std::min(series.x.size(), series.y.size());
  size_t bucket = (n + kMostPoints - 1) / kMostPoints;
  Series out{series.slot, series.name, {}, {}, series.dashed, series.marks};
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
  std::string out = fmt::format("<path class=\"curve{} m{}\" d=\"{}\"><title>{}</title></path>",
                                series.dashed ? " dashed" : "", series.slot, path,
                                escape_html(one_line(clean(series.name))));
  const auto lowest = std::min_element(series.y.begin(), series.y.end()) - series.y.begin();
  for (size_t i = 0; i < series.x.size(); ++i)
    if (series.marks != Marks::kNone && known(series.y[i]) &&
        (series.marks == Marks::kAll || static_cast<ptrdiff_t>(i) == lowest))
      out += marker(series.slot, plane.px(static_cast<double>(series.x[i])), plane.py(series.y[i]));
  return out;
}

std::string axes(const Plane& plane) {
  double most = std::max(std::fabs(plane.y.low), std::fabs(plane.y.high));
  std::string out;
  for (int i = 0; i <= 20 && plane.y.low + i * plane.y.step <= plane.y.high + plane.y.step / 2; ++i) {
    double value = plane.y.low + i * plane.y.step;
    if (std::fabs(value) < plane.y.step * 1e-6) value = 0;
    out += svg_line(plane.left, plane.py(value), plane.right, plane.py(value), "grid");
    out += svg_text(plane.left - 8, plane.py(value) + 4, "tick end", tick_label(value, most));
  }
  out += svg_text(plane.left, plane.bottom + 18, "tick", grouped(static_cast<int64_t>(plane.x.low)));
  out += svg_text(plane.right, plane.bottom + 18, "tick end",
                  "step " + grouped(static_cast<int64_t>(plane.x.high)));
  return out;
}

}  // namespace

std::string line_chart(const std::string& title, const std::vector<Series>& series, const ChartSize& size) {
  std::vector<Series> drawn;
  double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
  for (const Series& one : series) {
    drawn.push_back(thinned(one.dashed ? measured(one) : one));
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
      open_svg(size.width, size.height, title + " over training steps") + svg_text(0, 13, "kind", title);
  if (!(low <= high)) return out + svg_text(0, 40, "faint", "no values") + "</svg>\n";
  if (first == last) first -= 1, last += 1;
  Plane plane{{first, last, 1},  nice_axis(low, high, size.height >= 200 ? 5 : 3), 52, size.width - 6.0, 28,
              size.height - 26.0};
  out += axes(plane);
  for (const Series& one : drawn) out += polyline(one, plane);
  return out + "</svg>\n";
}

// --- Histogram ---

static std::string outline(const std::vector<int64_t>& counts, int slot, const char* name, double bin,
                           double left, double bottom, double unit) {
  std::string path = fmt::format("M{:.1f} {:.1f}", left, bottom);
  for (size_t i = 0; i < counts.size(); ++i)
    path +=
        fmt::format("L{:.1f} {:.1f}H{:.1f}", left + bin * static_cast<double>(i),
                    bottom - unit * static_cast<double>(counts[i]), left + bin * static_cast<double>(i + 1));
  return fmt::format("<path class=\"area m{}\" d=\"{}V{:.1f}z\"><title>{}</title></path>", slot, path, bottom,
                     name);
}

std::string histogram_chart(const Histogram& histogram, const ChartSize& size) {
  std::string out = open_svg(size.width, size.height,
                             "Examples by their mean log-probability per token under the seed: originals and "
                             "rewrites");
  int64_t most = 0;
  for (const auto* counts : {&histogram.originals, &histogram.rewrites})
    for (int64_t count : *counts) most = std::max(most, count);
  if (most == 0) return out + svg_text(0, 40, "faint", "no values") + "</svg>\n";
  const double left = 44, right = size.width - 8.0, top = 8, bottom = size.height - 26.0;
  const Axis y = nice_axis(0, static_cast<double>(most), 4);
  const double unit = (bottom - top) / y.high,
               bin = (right - left) / static_cast<double>(histogram.originals.size());
  for (int i = 0; i <= 10 && i * y.step <= y.high + y.step / 2; ++i) {
    if (y.step < 1 && i % 2 == 1) continue;  // half an example is no tick
    const double at = bottom - unit * i * y.step;
    out += svg_line(left, at, right, at, "grid");
    out += svg_text(left - 8, at + 4, "tick end", tick_label(i * y.step, y.high));
  }
  out += outline(histogram.originals, 1, "originals", bin, left, bottom, unit);
  out += outline(histogram.rewrites, 2, "rewrites", bin, left, bottom, unit);
  const auto bins = histogram.originals.size();
  for (size_t i = 0; i <= 4; ++i) {
    const size_t edge = i * bins / 4;
    if (i > 0 && edge == (i - 1) * bins / 4) continue;
    const char* cls = i == 0 ? "tick" : i == 4 ? "tick end" : "tick mid";
    const double value = histogram.low + histogram.width * static_cast<double>(edge);
    out += svg_text(
        left + bin * static_cast<double>(edge), bottom + 18, cls,
        std::fabs(value) < 1e6 ? decimal(value, histogram.width < 0.1 ? 2 : 1) : significant(value, 3));
  }
  return out + "</svg>\n";
}

// --- Heat map ---

namespace {

struct Grid {
  std::vector<std::string> modules;
  std::vector<std::optional<int64_t>> layers;  // in the order of the model, what has no layer last
};

Grid grid_of(const Shift& shift) {
  Grid grid;
  for (const ModuleShift& m : shift.modules) {
    if (std::find(grid.modules.begin(), grid.modules.end(), m.module) == grid.modules.end())
      grid.modules.push_back(m.module);
    if (std::find(grid.layers.begin(), grid.layers.end(), m.layer) == grid.layers.end())
      grid.layers.push_back(m.layer);
  }
  std::stable_partition(grid.layers.begin(), grid.layers.end(),
                        [](const auto& layer) { return layer.has_value(); });
  return grid;
}

}  // namespace

std::string heat_map(const Shift& shift, double most, int width) {
  const Grid grid = grid_of(shift);
  if (grid.modules.empty()) return "";
  const bool wide = width >= 560;
  const double left = wide ? 112 : 78, row = 20, top = 4;
  const double column = std::min(72.0, (width - left - 2.0) / static_cast<double>(grid.layers.size()));
  const double bottom = top + row * static_cast<double>(grid.modules.size());
  std::string out =
      open_svg(width, bottom + 22, "How far each module of each layer moved, in percent of its norm");
  for (size_t i = 0; i < grid.modules.size(); ++i)
    out += svg_text(left - 8, top + row * static_cast<double>(i) + 14, "tick end",
                    cut_short(one_line(clean(grid.modules[i])), wide ? 15 : 10));
  for (const ModuleShift& m : shift.modules) {
    const auto i = std::find(grid.modules.begin(), grid.modules.end(), m.module) - grid.modules.begin();
    const auto k = std::find(grid.layers.begin(), grid.layers.end(), m.layer) - grid.layers.begin();
    const double x = left + column * static_cast<double>(k), y = top + row * static_cast<double>(i);
    const double share = known(m.shift) && most > 0 ? std::clamp(m.shift / most, 0.0, 1.0) : 0;
    const std::string value = known(m.shift) ? significant(100 * m.shift, 2) : kDash;
    out += fmt::format(
        "<g><title>{} {}: {}&#160;%</title><rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" "
        "width=\"{:.1f}\" height=\"{:.1f}\" fill-opacity=\"{:.2f}\"/>",
        m.layer ? "layer " + std::to_string(*m.layer) : "no layer", escape_html(one_line(clean(m.module))),
        value, x + 0.5, y + 0.5, std::max(column - 1, 0.5), row - 1, 0.04 + 0.6 * share);
    if (column >= 34) out += svg_text(x + column / 2, y + 14, "tick mid", value);
    out += "</g>";
  }
  const size_t apart = static_cast<size_t>(std::ceil(28.0 / std::max(column, 0.1)));
  for (size_t k = 0; k < grid.layers.size(); k += apart)
    out += svg_text(left + column * (static_cast<double>(k) + 0.5), bottom + 16, "tick mid",
                    grid.layers[k] ? std::to_string(*grid.layers[k]) : kDash);
  return out + svg_text(left - 8, bottom + 16, "tick end", "layer") + "</svg>\n";
}

}  // namespace sdft::report
