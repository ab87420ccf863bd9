// Methods: what a variant's training learns. One table (method.cpp) has a row a method.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdft/distiller.h"

namespace sdft {

// Methods that train nothing, but make something else of the model that a variant goes on from
// (model/change.h).
enum class Change { kNone, kInterpolation, kPruning };

struct Method {
  const char* name;
  const char* help;
  bool rewrites;   // its targets need a finished distill stage
  bool on_policy;  // learns from answers that it writes while it trains; the targets are the demonstrations
  Change change;
  bool baseline;  // the plain one: what a report holds the other variants against
  // The dataset's examples with the targets that are learned; null where nothing is. distill_dir: the stage's
  // folder.
  std::vector<Example> (*targets)(const Dataset& dataset, const std::filesystem::path& distill_dir,
                                  const TargetOptions& options);
};

// Error(kUsage) with the nearest, or with all.
const Method& find_method(const std::string& name);
const std::vector<Method>& methods();

}  // namespace sdft
