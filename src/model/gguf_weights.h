// The weights of a GGUF file under Hugging Face's names and in its order of rows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "model/format/config.h"
#include "model/gguf.h"
#include "tensor/quantised.h"

namespace sdft {

class GgufWeights {
 public:
  // `config` is gguf_config()'s, `file` outlives this. Error(kInput) naming the tensor: missing, of another
  // shape than the configuration asks for, or one that the model has no place for.
  GgufWeights(const GgufFile& file, const ModelConfig& config);

  // As numbers of f32, f16 or bf16. Error(kInput) where one is too large for the type.
  Tensor get(const std::string& name, at::ScalarType type) const;
  // "F16", "Q4_K", ..., as which a weight is stored.
  const GgufType& type(const std::string& name) const;
  // What its codes are; nothing where numbers are stored.
  std::optional<ops::QuantisedForm> form(const std::string& name) const;
  // A matrix of codes as these, exactly. Error(kInput) where a scale is not finite.
  Tensor quantised(const std::string& name, TensorMemory* memory) const;

 private:
  const GgufFile& file_;
  const ModelConfig& config_;
};

}  // namespace sdft
