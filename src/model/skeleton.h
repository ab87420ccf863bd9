// A model without its numbers.
#pragma once

#include "model/model.h"

namespace sdft {

// Every weight has its name and shape, none has memory: for reading and writing other formats. forward() of
// it would fail.
Model skeleton(const ModelConfig& config);

// The same in the types that load_model() or init_model() would keep, those of few bits as kByte, and what
// all of them would take. Error as load_model(), but for shapes.
struct LoadedShape {
  Model model;
  int64_t bytes;
};
LoadedShape loaded_shape(const std::filesystem::path& dir, const LoadOptions& options);
LoadedShape initial_shape(const ModelConfig& config, const LoadOptions& options);

}  // namespace sdft
