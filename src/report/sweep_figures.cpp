#include "report/sweep_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "report/format.h"
#include "report/percent_axis.h"
#include "report/svg.h"

namespace sdft::report {
namespace {

constexpr double kLogSpan = 20;  // values that span more are on a logarithmic axis

// --- Which figures ---

// The values of a key, in the order of the rows; numbers ascending.
std::vector<std::string> values_of(const std::vector<SweepRow>& rows, const std::string& key, bool* numbers) {
  std::vector<std::string> values;
  *numbers = true;
  double number = 0;
  for (const SweepRow& row : rows) {
    const auto value = value_of(row.settings, key);
    if (!value || std::find(values.begin(), values.end(), *value) != values.end()) continue;
    values.push_back(*value);
    *numbers = *numbers && is_number(*value, &number);
  }
  if (*numbers)
    std::stable_sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
      double x = 0, y = 0;
      return is_number(a, &x) && is_number(b, &y) && x < y;
    });
  return values;
}

std::vector<SweepSeries> series_of(const Sweep& sweep, const std::vector<SweepRow>& rows,
                                   const SweepFigure& figure, const std::string& measure) {
  std::vector<SweepSeries> all;
  for (const SweepRow& row : rows) {
    const bool variants = figure.key == "variant";
    const auto value =
        variants ? std::optional<std::string>(row.variant) : value_of(row.settings, figure.key);
    const std::string label = variants ? "" : label_of(sweep, row, figure.key);
    auto series = std::find_if(all.begin(), all.end(), [&](const SweepSeries& s) {
      return s.label == label && s.level == !value.has_value();
    });
    if (series == all.end())
      series = all.insert(all.end(), {label, 1 + static_cast<int>(all.size()) % (kSlots - 1), !value, {}});
    SweepPoint point{0, value.value_or(""), estimate_of(sweep, row, measure)};
    if (figure.numbers && value) is_number(*value, &point.x);
    series->points.push_back(point);
  }
  for (SweepSeries& series : all)
    std::stable_sort(series.points.begin(), series.points.end(),
                     [](const SweepPoint& a, const SweepPoint& b) { return a.x < b.x; });
  return all;
}

// --- Drawing ---

ValueRange range_of_series(const std::vector<SweepSeries>& all, bool zero) {
  std::vector<Estimate> values;
  for (const SweepSeries& series : all)
    for (const SweepPoint& point : series.points) values.push_back(point.y);
  return range_of(values, zero);
}

std::string title_text(const std::string& measure) {
  std::string title = title_of(measure);
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z')
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

std::string tip(const std::string& label, const std::string& at, const std::string& measure,
                const Estimate& e) {
  const std::string interval = interval_text(measure, e);
  return "<title>" +
         escape_html(one_line(clean(label + (label.empty() || at.empty() ? "" : ", ") + at)) + ": " +
                     value_text(measure, e.value) + (interval.empty() ? "" : " " + interval)) +
         "</title>";
}

// Where the values of a numeric key stand.
class NumberAxis {
 public:
  NumberAxis(const std::vector<std::string>& values, double left, double right) : left_(left), right_(right) {
    double smallest = INFINITY;
    for (const std::string& value : values) {
      double number = 0;
      if (!is_number(value, &number)) continue;
      low_ = std::min(low_, number);
      high_ = std::max(high_, number);
      if (number > 0) smallest = std::min(smallest, number);
    }
    log_ = low_ > 0 && high_ > kLogSpan * smallest;
  }
  bool log() const { return log_; }
  double operator()(double x) const {
    const auto scaled = [&](double value) { return log_ ? std::log(value) : value; };
    const double span = scaled(high_) - scaled(low_);
    return span > 0 ? left_ + (scaled(x) - scaled(low_)) / span * (right_ - left_) : (left_ + right_) / 2;
  }

 private:
  double left_, right_, low_ = INFINITY, high_ = -INFINITY;
  bool log_ = false;
};

std::string line_of(const SweepSeries& series, const std::string& measure, const NumberAxis& x,
                    const ValueAxis& y, double left, double right, double shift) {
  std::string out, path;
  if (series.level) {
    const Estimate& e = series.points.front().y;
    if (!known(e.value)) return "";
    return fmt::format("<path class=\"curve dashed m{}\" d=\"M{:.1f} {:.1f}H{:.1f}\">{}</path>", series.slot,
                       left, y(e.value), right, tip(series.label, "", measure, e));
  }
  for (const SweepPoint& point : series.points) {
    if (!known(point.y.value)) continue;
    const double at = x(point.x) + shift;
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", at, y(point.y.value));
    out += "<g>" + tip(series.label, point.at, measure, point.y);
    if (known(point.y.low) && known(point.y.high))
      out += whisker_up(at, y(point.y.low), y(point.y.high), series.slot);
    out += marker(series.slot, at, y(point.y.value)) + "</g>";
  }
  if (path.empty()) return "";
  return fmt::format("<path class=\"curve m{}\" d=\"{}\"/>", series.slot, path) + out;
}

std::string draw_lines(const SweepFigure& figure, size_t i, int width) {
  const std::string& measure = figure.measures[i];
  const int height = 260;
  const double left = 46, right = width - 14.0, top = 28, bottom = height - 42.0;
  std::string out = open_svg(width, height, title_text(measure) + " against " + one_line(clean(figure.key))) +
                    svg_text(0, 13, "kind", title_text(measure));
  const ValueRange range = range_of_series(figure.series[i], measure == kForgetting);
  if (range.empty()) return out + svg_text(0, 40, "faint", "no values") + "</svg>\n";
  const NumberAxis x(figure.values, left + 12, right - 12);
  const ValueAxis y = value_axis(range, 5, bottom, top);
  for (const auto& [value, label] : ticks_of(y.axis))
    out += svg_line(left, y(value), right, y(value), value == 0 ? "seedline" : "grid") +
           svg_text(left - 8, y(value) + 4, "tick end", label);
  double last = -INFINITY;
  for (const std::string& value : figure.values) {
    double number = 0;
    if (!is_number(value, &number)) continue;
    const std::string text = cut_short(value, 10);
    const double half = 3.6 * static_cast<double>(text.size());
    if (x(number) - half < last + 4) continue;  // no place
    out += svg_text(x(number), bottom + 16, "tick mid", text);
    last = x(number) + half;
  }
  out += svg_text((left + right) / 2, bottom + 34, "tick mid",
                  cut_short(one_line(clean(figure.key)), 40) + (x.log() ? " (logarithmic)" : ""));
  const double count = static_cast<double>(figure.series[i].size());
  for (size_t k = 0; k < figure.series[i].size();
       ++k) {  // a little apart, so that intervals do not cover each other
    const double apart = std::min(4.0, 16.0 / std::max(count, 1.0));
    out += line_of(figure.series[i][k], measure, x, y, left, right,
                   apart * (static_cast<double>(k) - (count - 1) / 2));
  }
  return out + "</svg>\n";
}

std::string draw_dots(const SweepFigure& figure, size_t i, int width) {
  constexpr double kLane = 17, kHeading = 22, kGap = 8;
  const std::string& measure = figure.measures[i];
  const ValueRange range = range_of_series(figure.series[i], measure == kForgetting);
  const bool headed = figure.series[i].size() > 1;  // then the legend has the names, and lanes have none
  const double left = headed ? 14 : 150, right = width - 14.0;
  const ValueAxis x = value_axis(range.empty() ? ValueRange{0, 1} : range, 4, left, right);
  std::string rows;
  double y = 26;
  auto lane = [&](const SweepSeries& series, const SweepPoint& point, const std::string& name) {
    if (!headed)
      rows += svg_text(left - 10, y + kLane / 2 + 4, "tick end", cut_short(one_line(clean(name)), 22));
    const double middle = y + kLane / 2;
    y += kLane;
    if (!known(point.y.value)) {
      rows += svg_text(left + 4, middle + 4, "faint", kDash);
      return;
    }
    rows += "<g>" + tip(series.label, point.at, measure, point.y);
    if (known(point.y.low) && known(point.y.high))
      rows += whisker_across(x(point.y.low), x(point.y.high), middle, series.slot);
    rows += marker(series.slot, x(point.y.value), middle) + "</g>";
  };
  for (const std::string& value : figure.values) {
    if (headed) {
      rows += svg_text(0, y + 15, "label", cut_short(one_line(clean(value)), 48));
      y += kHeading;
    }
    for (const SweepSeries& series : figure.series[i])
      for (const SweepPoint& point : series.points)
        if (!series.level && point.at == value) lane(series, point, value);
    if (headed && &value != &figure.values.back()) y += kGap;
  }
  if (headed) y += kGap;
  for (const SweepSeries& series : figure.series[i])
    for (const SweepPoint& point : series.points)
      if (series.level) lane(series, point, series.label);
  const double bottom = y + 4;
  std::string out = open_svg(width, bottom + 22, title_text(measure) + " by " + one_line(clean(figure.key))) +
                    svg_text(0, 13, "kind", title_text(measure));
  for (const auto& [value, label] : ticks_of(x.axis))
    out += svg_line(x(value), 22, x(value), bottom, value == 0 ? "seedline" : "grid") +
           svg_text(x(value), bottom + 16, "tick mid", label);
  return out + rows + "</svg>\n";
}

}  // namespace

std::vector<SweepFigure> figures_of(const Sweep& sweep) {
  std::vector<SweepFigure> figures;
  const std::vector<SweepRow> rows = rows_of(sweep);
  const std::vector<std::string> there = measures_of(sweep);
  std::vector<std::string> measures;
  for (const char* measure : {kForgetting, "target"})
    if (std::find(there.begin(), there.end(), measure) != there.end()) measures.push_back(measure);
  if (measures.empty()) return {};
  std::vector<std::string> keys = keys_of(sweep);
  if (keys.empty()) keys = {"variant"};
  for (const std::string& key : keys) {
    if (key == "stage") continue;
    SweepFigure figure{key, false, {}, measures, {}};
    if (key == "variant") {
      for (const SweepRow& row : rows)
        if (std::find(figure.values.begin(), figure.values.end(), row.variant) == figure.values.end())
          figure.values.push_back(row.variant);
    } else {
      figure.values = values_of(rows, key, &figure.numbers);
    }
    if (figure.values.size() < 2) continue;
    for (const std::string& measure : measures)
      figure.series.push_back(series_of(sweep, rows, figure, measure));
    figures.push_back(std::move(figure));
  }
  return figures;
}

std::string draw(const SweepFigure& figure, size_t i, int width) {
  return figure.numbers ? draw_lines(figure, i, width) : draw_dots(figure, i, width);
}

}  // namespace sdft::report
