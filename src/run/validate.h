// What can be known before the first stage: files, names, ranges, templates on the real examples, whether
// answers can be judged, memory.
#pragma once

#include <map>
#include <vector>

#include "data/dataset.h"
#include "run/context.h"

namespace sdft {

// The datasets that the stages use.
struct Inputs {
  std::map<std::string, Dataset> datasets;  // to rewrite and to train on, whole
  std::map<std::string, Dataset> replays;   // to train on besides
  std::vector<Dataset> eval;                // as recipe.eval; empty where eval is not wanted

  const Dataset& all(const Recipe& own) const;     // the dataset of a recipe that was validated
  const Dataset* replay(const Recipe& own) const;  // null where it has none; only where training was wanted
};
// The examples of it that the recipe uses.
Dataset selected(const Dataset& all, const Recipe& own);

// Opens what `stages` (bits of Stages) will need and checks it; writes nothing and loads no weights. All
// problems in one Error. Examples that a prompt template cannot render are dropped where skip_bad is set.
// `recipes`: of each variant as it holds for it, or the recipe itself.
Inputs validate(const RunContext& run, unsigned stages, const std::vector<Recipe>& recipes);

}  // namespace sdft
