#include "train/objective.h"

#include "base/error.h"

namespace sdft {

std::unique_ptr<Objective> make_cross_entropy(const ObjectiveContext& context);

namespace {
struct Row {
  const char* name;
  std::unique_ptr<Objective> (*make)(const ObjectiveContext& context);
};
constexpr Row kObjectives[] = {
    {"sft", make_cross_entropy},
};
}  // namespace

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (const Row& row : kObjectives) names.emplace_back(row.name);
  return names;
}

std::unique_ptr<Objective> make_objective(const std::string& name, const ObjectiveContext& context) {
  for (const Row& row : kObjectives)
    if (name == row.name) return row.make(context);
  std::string known;
  for (const std::string& one : objective_names()) known += (known.empty() ? "" : ", ") + one;
  fail_usage("objective '" + name + "' is not known", "known: " + known);
}

}  // namespace sdft
