// How far training moved the weights: ||dW|| / ||W|| (Frobenius), by layer and module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/model.h"

namespace sdft {

struct ModuleShift {
  std::optional<int64_t> layer;  // from 0; none for the embedding and the head
  std::string module;            // "q_proj", "gate_up_proj", "experts.3.up_proj", "embed_tokens", "lm_head"
  double shift = 0;  // ||after - before|| / ||before||; the plain ||after - before|| where before is 0
};

struct ParameterShift {
  double total = 0;  // over all matrices of the layers, changed or not; embedding and head aside
  std::vector<ModuleShift> modules;  // the matrices that differ, in the model's order; norms and biases aside
};

// Between two states of one architecture: the seed and what training made of it. Each may have an adapter,
// which counts as part of its weights: of low-rank updates only products of their thin factors are formed,
// never B A itself. Sums are f64, a block of rows at a time.
ParameterShift parameter_shift(ModelView before, ModelView after);

}  // namespace sdft
