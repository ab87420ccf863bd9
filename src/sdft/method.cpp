#include "sdft/method.h"

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
std::vector<Example> own_answers(const Dataset& dataset, const fs::path&, const TargetOptions&) {
  return dataset.examples;
}

std::vector<Example> accepted_rewrites(const Dataset& dataset, const fs::path& distill_dir,
                                       const TargetOptions& options) {
  return targets_of(dataset, read_distilled(distill_dir / "distilled.jsonl", dataset), options);
}
}  // namespace

const std::vector<Method>& methods() {
  static const std::vector<Method> kRows = {
      {"sft", "learns the dataset's own answers", false, false, Change::kNone, true, own_answers},
      {"self_distillation", "learns the accepted rewrites, elsewhere what `fallback` says", true, false,
       Change::kNone, false, accepted_rewrites},
      {"on_policy",
       "answers by itself, and learns what a teacher that sees the dataset's answer would have said", false,
       true, Change::kNone, false, own_answers},
      {"interpolation", "goes part of the way back to the seed (change_scale), without training", false,
       false, Change::kInterpolation, false, nullptr},
      {"pruning", "puts the weights back that changed most for their size (prune_ratio), without training",
       false, false, Change::kPruning, false, nullptr}};
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
