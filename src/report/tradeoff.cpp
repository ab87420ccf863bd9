#include "report/tradeoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "report/format.h"
#include "report/html_parts.h"
#include "report/percent_axis.h"
#include "report/plots.h"

namespace sdft::report {
namespace {

constexpr size_t kMostModels = 25;          // of a run; a sweep has colours for its variants
constexpr double kGlyph = 7.6, kLine = 14;  // of a label

// --- Points ---

// Of the kind, those that all models were scored on.
std::vector<const Task*> tasks_of_all(const Evaluation& evaluation, const std::string& kind) {
  std::vector<const Task*> tasks;
  for (const Task& task : evaluation.tasks)
    if (task.kind == kind &&
        std::all_of(evaluation.models.begin(), evaluation.models.end(),
                    [&](const std::string& model) { return known(score_value(task, model)); }))
      tasks.push_back(&task);
  return tasks;
}

std::vector<TradeOffPoint> if_several(std::vector<TradeOffPoint> points) {
  points.erase(std::remove_if(points.begin(), points.end(),
                              [](const TradeOffPoint& point) {
                                return !known(point.target.value) || !known(point.retained.value);
                              }),
               points.end());
  const auto tuned =
      std::count_if(points.begin(), points.end(), [](const TradeOffPoint& p) { return p.slot != 0; });
  return tuned < 2 ? std::vector<TradeOffPoint>{} : points;
}

// --- Drawing ---

struct Box {
  double left, top, right, bottom;
  double overlap(const Box& other) const {
    return std::max(0.0, std::min(right, other.right) - std::max(left, other.left)) *
           std::max(0.0, std::min(bottom, other.bottom) - std::max(top, other.top));
  }
};

struct Plane {
  ValueAxis x, y;
  Box box;
  bool shows_seed;  // else only how much it retains
};

// Shares do not leave 0 … 1, as intervals would.
Estimate inside(const Estimate& e) { return {e.value, std::max(e.low, 0.0), std::min(e.high, 1.0)}; }

// What was learned spans the figure: a seed that cannot do the task at all is left out where it would push
// all others together.
Plane plane_of(const std::vector<TradeOffPoint>& points, int width, int height) {
  std::vector<Estimate> targets, seeds, retained;
  for (const TradeOffPoint& point : points) {
    (point.slot == 0 ? seeds : targets).push_back(inside(point.target));
    retained.push_back(inside(point.retained));
  }
  const ValueRange learned = range_of(targets, false);
  targets.insert(targets.end(), seeds.begin(), seeds.end());
  const ValueRange all = range_of(targets, false);
  const bool shows_seed = all.high - all.low <= 2 * std::max(learned.high - learned.low, 0.05);
  constexpr double kInset = 14;  // no point on the frame
  const Box box{44, 28, width - 14.0, height - 42.0};
  return {value_axis(shows_seed ? all : learned, width >= 560 ? 8 : 4, box.left + kInset, box.right - kInset),
          value_axis(range_of(retained, false), 5, box.bottom - kInset, box.top + kInset), box, shows_seed};
}

// What labels should keep off: markers and whiskers.
std::vector<Box> boxes_of(const std::vector<TradeOffPoint>& points, const Plane& plane) {
  std::vector<Box> boxes;
  for (const TradeOffPoint& point : points) {
    const double x = plane.x(point.target.value), y = plane.y(point.retained.value);
    if (point.slot == 0) boxes.push_back({plane.box.left, y - 1, plane.box.right, y + 1});
    if (point.slot == 0 && !plane.shows_seed) continue;
    boxes.push_back({x - 6, y - 6, x + 6, y + 6});
    if (known(point.target.low) && known(point.target.high))
      boxes.push_back({plane.x(point.target.low), y - 1, plane.x(point.target.high), y + 1});
    if (known(point.retained.low) && known(point.retained.high))
      boxes.push_back({x - 1, plane.y(point.retained.high), x + 1, plane.y(point.retained.low)});
  }
  return boxes;
}

struct Place {
  Box box;
  double distance;  // from the point
};

// Where a label around a point covers least, the nearer the better.
Place place_for(double width, double x, double y, const Box& inside, const std::vector<Box>& taken) {
  constexpr std::array<std::pair<double, double>, 12> kSides = {{{1, 0},
                                                                 {-1, 0},
                                                                 {0, -1},
                                                                 {0, 1},
                                                                 {0.8, -0.8},
                                                                 {-0.8, -0.8},
                                                                 {0.8, 0.8},
                                                                 {-0.8, 0.8},
                                                                 {0.9, -0.4},
                                                                 {-0.9, -0.4},
                                                                 {0.9, 0.4},
                                                                 {-0.9, 0.4}}};
  Place best{{0, 0, 0, 0}, 0};
  double least = INFINITY;
  for (double distance : {9.0, 24.0, 40.0, 56.0, 72.0, 96.0, 120.0, 150.0})
    for (const auto& [dx, dy] : kSides) {
      const double middle = y + dy * (distance + 3), left = dx == 0  ? x - width / 2
                                                            : dx > 0 ? x + dx * distance
                                                                     : x + dx * distance - width;
      const Box box{left, middle - kLine / 2, left + width, middle + kLine / 2};
      const double outside = width * kLine - box.overlap(inside);
      double cost = 10 * outside + 4 * distance;
      for (const Box& other : taken) cost += 5 * box.overlap(other);
      if (cost < least) least = cost, best = {box, distance};
    }
  return best;
}

std::string labels(const std::vector<TradeOffPoint>& points, const Plane& plane, size_t longest) {
  std::vector<Box> taken = boxes_of(points, plane);
  std::string leaders, words;
  for (const TradeOffPoint& point : points) {
    if (point.slot == 0 && !plane.shows_seed) continue;
    const std::string text = cut_short(one_line(clean(point.label)), longest);
    const double x = plane.x(point.target.value), y = plane.y(point.retained.value),
                 width = kGlyph * display_width(text);
    const auto [box, distance] = place_for(width, x, y, plane.box, taken);
    taken.push_back(box);
    if (distance > 9)
      leaders +=
          svg_line(x, y, std::clamp(x, box.left, box.right), std::clamp(y, box.top, box.bottom), "seedline");
    const bool before = box.right < x;  // ends at the point: its width is but guessed
    words += svg_text(before ? box.right : box.left, box.bottom - 2.5, before ? "label end" : "label", text);
  }
  return leaders + words;
}

// The seed's scores as lines, and what the line is where its point is not in the figure.
std::string seed_lines(const TradeOffPoint& seed, const Plane& plane) {
  const double x = plane.x(seed.target.value), y = plane.y(seed.retained.value);
  std::string out = svg_line(plane.box.left, y, plane.box.right, y, "seedline");
  if (plane.shows_seed) return out + svg_line(x, plane.box.top, x, plane.box.bottom, "seedline");
  return out + svg_text(plane.box.left + 4, y - 5, "tick",
                        one_line(clean(seed.label)) + ", target " + percent(seed.target.value));
}

std::string mark(const TradeOffPoint& point, const Plane& plane) {
  const double x = plane.x(point.target.value), y = plane.y(point.retained.value);
  auto text = [](const char* name, const Estimate& e) {
    const std::string interval = percent_interval({e.low, e.high});
    return std::string(name) + " " + percent(e.value) + (interval.empty() ? "" : " " + interval);
  };
  std::string out = "<g><title>" +
                    escape_html(one_line(clean(point.label)) + ": " + text("target", point.target) + ", " +
                                text("retained", point.retained)) +
                    "</title>";
  if (known(point.target.low) && known(point.target.high))
    out += whisker_across(plane.x(point.target.low), plane.x(point.target.high), y, point.slot);
  if (known(point.retained.low) && known(point.retained.high))
    out += whisker_up(x, plane.y(point.retained.low), plane.y(point.retained.high), point.slot);
  return out + marker(point.slot, x, y) + "</g>";
}

bool has_labels(const std::vector<TradeOffPoint>& points, int width) {
  return points.size() <= (width >= 560 ? kMostModels : 7);
}

}  // namespace

Estimate mean_over(const std::vector<const Task*>& tasks, const std::string& model) {
  if (tasks.empty()) return {kMissing, kMissing, kMissing};
  double sum = 0, low = 0, high = 0;
  for (const Task* task : tasks) {
    const Score* score = find_score(*task, model);
    if (!score || !known(score->value)) return {kMissing, kMissing, kMissing};
    sum += score->value;
    low = std::hypot(low, score->value - score->interval.low);
    high = std::hypot(high, score->interval.high - score->value);
  }
  const auto n = static_cast<double>(tasks.size());
  return {sum / n, (sum - low) / n, (sum + high) / n};
}

std::vector<TradeOffPoint> trade_off(const Document& document) {
  if (document.learning.empty() || !document.evaluation) return {};
  const Evaluation& evaluation = *document.evaluation;
  const auto target = tasks_of_all(evaluation, "target"), retained = tasks_of_all(evaluation, "retained");
  if (target.empty() || retained.empty() || evaluation.models.size() > kMostModels) return {};
  std::vector<TradeOffPoint> points;
  for (const std::string& model : evaluation.models)
    points.push_back({model, model, model_slot(model, evaluation.models, document.baseline),
                      mean_over(target, model), mean_over(retained, model)});
  return if_several(std::move(points));
}

std::vector<TradeOffPoint> trade_off(const Sweep& sweep) {
  if (sweep.learning.empty()) return {};
  auto alone = [&](const char* measure) { return Estimate{seed_value(sweep, measure), kMissing, kMissing}; };
  std::vector<TradeOffPoint> points = {{"seed model", "seed model", 0, alone("target"), alone("retained")}};
  const std::vector<SweepRow> rows = rows_of(sweep);
  std::vector<std::string> groups;
  for (const SweepRow& row : rows) {
    const std::string label = label_of(sweep, row), group = rows.size() < kSlots ? label : row.variant;
    auto at = std::find(groups.begin(), groups.end(), group);
    if (at == groups.end()) at = groups.insert(at, group);
    points.push_back({label, group, 1 + static_cast<int>(at - groups.begin()) % (kSlots - 1),
                      estimate_of(sweep, row, "target"), estimate_of(sweep, row, "retained")});
  }
  return if_several(std::move(points));
}

std::vector<TradeOffPoint> trade_off(const std::vector<ComparedRun>& runs, const Measured& target,
                                     const Measured& retained) {
  std::vector<TradeOffPoint> points;
  int slot = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (target.tasks[i].empty() || retained.tasks[i].empty()) continue;
    const Roles roles = find_roles(runs[i].document);
    for (const std::string& model : runs[i].document.evaluation->models) {
      const bool seed = model == roles.seed, first = points.empty() || points[0].slot != 0;
      if (seed && !first) continue;  // it is the same in all of them
      const std::string label = seed ? model : runs[i].name + ", " + model;
      points.insert(seed ? points.begin() : points.end(),
                    {label, label, seed ? 0 : 1 + slot++ % (kSlots - 1), mean_over(target.tasks[i], model),
                     mean_over(retained.tasks[i], model)});
    }
  }
  return if_several(std::move(points));
}

std::string scatter(const std::vector<TradeOffPoint>& points, int width) {
  const int height = width >= 560 ? 400 : 330;
  const Plane plane = plane_of(points, width, height);
  const Box& box = plane.box;
  std::string out =
      open_svg(width, height, "Retained tasks against the target, each in percent, a point a model") +
      svg_text(0, 13, "kind", "Retained, %");
  for (const auto& [value, label] : ticks_of(plane.y.axis))
    out += svg_line(box.left, plane.y(value), box.right, plane.y(value), "grid") +
           svg_text(box.left - 8, plane.y(value) + 4, "tick end", label);
  for (const auto& [value, label] : ticks_of(plane.x.axis))
    out += svg_line(plane.x(value), box.top, plane.x(value), box.bottom, "grid") +
           svg_text(plane.x(value), box.bottom + 16, "tick mid", label);
  out += svg_text(box.right, box.bottom + 36, "kind end", "Target, %");
  for (const TradeOffPoint& point : points)
    if (point.slot == 0) out += seed_lines(point, plane);
  std::string marks;
  for (const TradeOffPoint& point : points)
    if (point.slot != 0 || plane.shows_seed) marks += mark(point, plane);
  return out + (has_labels(points, width) ? labels(points, plane, width >= 560 ? 42 : 24) : "") + marks +
         "</svg>\n";
}

std::string trade_off_section(const std::vector<TradeOffPoint>& points, const std::string& note) {
  if (points.empty()) return "";
  std::string key = "<ul class=\"legend\">";
  std::set<std::string> named;
  for (const TradeOffPoint& point : points)
    if (named.insert(point.group).second)
      key += "<li>" + marker_icon(point.slot) + name(point.group) + "</li>";
  key += "</ul>\n";
  auto figure = [&](int width) { return (has_labels(points, width) ? "" : key) + scatter(points, width); };
  return section("Target against retained",
                 "To the right: learned more of the target task. Upwards: kept more of the retained ones. "
                 "Dashed: the seed.",
                 "<figure>\n" + both(figure(kWide), figure(kNarrow)) + "<figcaption>" + note +
                     "</figcaption>\n</figure>\n");
}

}  // namespace sdft::report
