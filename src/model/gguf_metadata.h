// A model's numbers as GGUF metadata: the other way round of gguf_config(). For src/model/ only.
#pragma once

#include <string>
#include <vector>

#include "model/gguf.h"

namespace sdft {

// Without the vocabulary. Error(kInput) where llama.cpp has no such model, or no words for its positions.
GgufMetadata gguf_metadata(const ModelConfig& config, const std::string& name, uint32_t file_type);
// What stretches positions, as F32: rope_freqs.weight, rope_factors_*.weight; often none.
std::vector<GgufSource> gguf_rope_tensors(const ModelConfig& config);
// The first setting in which a file read back differs; "" where none does.
std::string first_difference(const ModelConfig& own, const ModelConfig& read);

}  // namespace sdft
