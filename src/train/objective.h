// What training minimises. An objective is a row of the table in objective.cpp, whose formula stands in
// token_objectives.cpp (of tokens) or parameter_objectives.cpp (of weights).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/safetensors.h"
#include "train/batch.h"
#include "train/divergence.h"

namespace sdft {

class Objective {
 public:
  virtual ~Objective() = default;
  // The micro-batch's share of the step's loss: a scalar f32 with its gradient recorded, the sum over its
  // targets times their weights.
  virtual Tensor loss(ModelView student, const MicroBatch& batch, const ForwardOptions& options) const = 0;
  // What is added to a step's loss besides, whatever its samples: a scalar with its gradient recorded, or
  // undefined.
  virtual Tensor penalty(ModelView) const { return {}; }
  // After the `steps`-th step, with the student as it is then.
  virtual void stepped(ModelView, int64_t /*steps*/) {}
  // What it remembers between steps, for checkpoints: restored in place.
  virtual NamedTensors state() const { return {}; }
  // The samples as this objective learns them: some of their tokens may be learned no longer.
  virtual std::vector<Sample> selected(std::vector<Sample> samples) const { return samples; }
};

// Each objective reads what its row in objective.cpp says.
struct ObjectiveOptions {
  double anchor_weight = 0.1;          // of the term that holds on to the seed
  std::string divergence = "forward";  // see divergence.h
  double max_perplexity = 2.5;         // of a token under the seed
  int64_t entropy_topk = 20;
  double proximal_clip = 0.2;  // how much a token's probability may grow between two snapshots
  int64_t proximal_steps = 8;  // between them
};

// What an objective may look at besides the micro-batch.
struct ObjectiveContext {
  ModelView seed;     // what must not be forgotten; its weights do not change
  ModelView student;  // the model that is trained, as it is before its first step
  ObjectiveOptions options = {};
  const std::vector<Sample>* kept = nullptr;  // of what must not be forgotten, for ewc
};

// Throws Error(kUsage) with the known names.
std::unique_ptr<Objective> make_objective(const std::string& name, const ObjectiveContext& context);
std::vector<std::string> objective_names();
// What it needs besides the training itself.
struct ObjectiveMemory {
  bool of_rows;  // its loss is of rows of logits (ops::linear_loss)
  int copies;    // of all that is trained, which it keeps
  int penalty;   // of the same, while its penalty is made
};
ObjectiveMemory memory_of_objective(const std::string& name);
// "sft: cross entropy", a line each, for the help.
std::string describe_objectives();

}  // namespace sdft
