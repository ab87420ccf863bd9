#include "sdft/method.h"

#include "base/error.h"
#include "sdft/distiller.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::vector<Example> own_answers(const Dataset& dataset, const fs::path&) { return dataset.examples; }

std::vector<Example> accepted_rewrites(const Dataset& dataset, const fs::path& distill_dir) {
  std::vector<Example> targets = dataset.examples;
  const auto distilled = read_distilled(distill_dir / "distilled.jsonl", dataset);
  for (size_t i = 0; i < distilled.size(); ++i) targets[i].response = distilled[i].target();
  return targets;
}
}  // namespace

const std::vector<Method>& methods() {
  static const std::vector<Method> kRows = {
      {"sft", "learns the dataset's own answers", false, true, own_answers},
      {"self_distillation", "learns the accepted rewrites, elsewhere the dataset's own answers", true, false,
       accepted_rewrites}};
  return kRows;
}

const Method& find_method(const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const Method& method : methods()) {
    if (name == method.name) return method;
    names.emplace_back(method.name);
    all += (all.empty() ? "" : "; ") + names.back() + " " + method.help;
  }
  const std::string near = nearest(name, names);
  fail_usage("there is no method '" + name + "'", near.empty() ? all : "did you mean '" + near + "'?");
}

}  // namespace sdft
