// What training minimises. An objective is a file beside this one and a row of the table in objective.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/batch.h"

namespace sdft {

class Objective {
 public:
  virtual ~Objective() = default;
  // The micro-batch's share of the step's loss: a scalar f32 with its gradient recorded, the sum over its
  // targets times their weights.
  virtual Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const = 0;
};

// What an objective may look at besides the micro-batch.
struct ObjectiveContext {
  ModelView seed;  // the model before training; its weights do not change
};

// Throws Error(kUsage) with the known names.
std::unique_ptr<Objective> make_objective(const std::string& name, const ObjectiveContext& context);
std::vector<std::string> objective_names();

}  // namespace sdft
