// What can be known before the first stage: files, names, ranges, templates on the real examples, whether
// answers can be judged, memory.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "run/context.h"

namespace sdft {

// The datasets that the stages use.
struct Inputs {
  Dataset train;              // empty where neither distill nor train is wanted
  Dataset replay;             // empty where the recipe has none, or does not train
  std::vector<Dataset> eval;  // as recipe.eval; empty where eval is not wanted
};

// Opens what `stages` (bits of Stages) will need and checks it; writes nothing and loads no weights. All
// problems in one Error. Examples that a prompt template cannot render are dropped where skip_bad is set.
Inputs validate(const RunContext& run, unsigned stages);

}  // namespace sdft
