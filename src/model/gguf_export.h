// Adapters as GGUF, for llama.cpp's --lora.
#pragma once

#include <filesystem>

#include "model/lora.h"

namespace sdft {

// Writes A [r, in] and B [out, r] of every layer as f32, with B's rows in the order that llama.cpp has them
// in and one alpha for all: what a layer's scale differs from alpha / r is in its B. `config`: of the model
// that the adapter is for. Error(kInput) where the adapter also replaces whole weights, or llama.cpp has no
// such model.
void write_gguf_adapter(const Adapter& adapter, const ModelConfig& config, const std::filesystem::path& path);

}  // namespace sdft
