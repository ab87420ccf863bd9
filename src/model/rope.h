// Rotary embeddings of every kind a RopeConfig names, as cosines and sines.
#pragma once

#include <vector>

#include "model/format/config.h"
#include "tensor/ops.h"

namespace sdft {

// R: rotated part of a head (ModelConfig::rotary_dim()). Angles are computed for the tokens at hand: a table
// over all positions of a model for very long contexts would take gigabytes.
struct RopeTables {
  RopeConfig config;
  int64_t rotary_dim = 0;
  int64_t trained = 0;      // longer sequences use other angles (dynamic, longrope); 0: none do
  Tensor frequencies;       // [R/2] f32, angle per position
  Tensor long_frequencies;  // longrope, for longer sequences
};

RopeTables make_rope_tables(const RopeConfig& rope, const ModelConfig& config, at::Device device);

// Cosines and sines of tokens: positions[n] within a sequence that is lengths[n] tokens long. [N, R/2] each.
struct RopeRows {
  Tensor cos, sin;
};
RopeRows rope_rows(const RopeTables& tables, const std::vector<int64_t>& positions,
                   const std::vector<int64_t>& lengths);

}  // namespace sdft
