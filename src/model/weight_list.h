// Which weights a model has, and as what they are kept. For src/model/ only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/skeleton.h"
#include "tensor/quantised.h"

namespace sdft {

struct Weight {
  std::string name;
  Tensor* tensor;
  std::vector<int64_t> shape;
  bool linear = false;  // of a linear layer or the head: what few bits are for
};
using Weights = std::vector<Weight>;

// Every weight of the model with the shape that the configuration asks for; names the linear layers.
Weights weights_of(Model& model);
// A model of that configuration without weights, for the device and precision of the options. Error(kUsage)
// for options that are not known or cannot be together, Error(kDevice).
Model empty_model(const ModelConfig& config, const LoadOptions& options);

// What linear layers and the head are rounded to; nothing: to no few bits.
std::optional<ops::QuantisedForm> few_bits(const LoadOptions& options);
// As what a weight is kept that is stored in that type, of so many dimensions; others than those of few bits.
at::ScalarType kept_type(at::ScalarType stored, size_t dimensions, const Model& model,
                         const LoadOptions& options);

// load_model() and loaded_shape() of a GGUF file's folder (gguf_folder.h).
Model load_gguf(const std::filesystem::path& dir, const LoadOptions& options);
LoadedShape gguf_shape(const std::filesystem::path& dir, const LoadOptions& options);

}  // namespace sdft
