// What can be known before the first stage: files, names, ranges, templates on the real examples, whether
// answers can be judged, memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "run/context.h"
#include "run/eval_set.h"

namespace sdft {

// A dataset with the sum of its examples, which fingerprints ask for.
struct TaskData {
  Dataset dataset;
  std::string examples_sha256;
};

// The datasets that the stages use; variants share them.
struct Inputs {
  using Shared = std::shared_ptr<const TaskData>;
  std::map<std::string, Shared> datasets;    // to rewrite and to train on, whole
  std::map<std::string, Shared> selections;  // the examples of them that recipes use
  std::map<std::string, Dataset> replays;    // to train on besides
  std::vector<EvalSet> eval;  // as recipe.eval; empty where neither eval nor a watched training is wanted

  // Of a recipe that was validated.
  const TaskData& all(const Recipe& own) const;
  const TaskData& used(const Recipe& own) const;
  const Dataset* replay(const Recipe& own) const;  // null where it has none; only where training was wanted
};

// A recipe as it holds for a variant, or the recipe itself.
struct WantedRecipe {
  Recipe recipe;
  bool rewrites;  // its examples are rewritten in this call
  bool taught;    // a teacher that sees the examples' answers takes part in its training
};

// Opens what `stages` (bits of Stages) will need and checks it; writes nothing and loads no weights. All
// problems in one Error. Examples that a prompt template cannot render are dropped where skip_bad is set.
Inputs validate(const RunContext& run, unsigned stages, const std::vector<WantedRecipe>& wanted);

}  // namespace sdft
