// Models and adapters as GGUF, for llama.cpp's -m and --lora.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/gguf.h"
#include "model/gguf_types.h"
#include "model/lora.h"

namespace sdft {

// Tensors that are stored as another type than llama.cpp's rules want, because of their rows' length.
struct GgufNarrowed {
  std::string tensors;  // "blk.*.attn_q.weight"
  const GgufType *wanted, *taken;
  int64_t row;
};

// Writes the model with `vocabulary` behind its own metadata, and reads that back: Error(kInput) with the
// name of a setting that the file does not say as config.json did, and then there is no file. What stood
// otherwise than asked for is returned.
std::vector<GgufNarrowed> write_gguf_model(const Model& model, const GgufMixture& mixture,
                                           const std::string& name, const GgufMetadata& vocabulary,
                                           const std::filesystem::path& path);

// Writes A [r, in] and B [out, r] of every layer, with B's rows in the order that llama.cpp has them
// in and one alpha for all: what a layer's scale differs from alpha / r is in its B. `config`: of the model
// that the adapter is for. Error(kInput) where the adapter also replaces whole weights, or llama.cpp has no
// such model.
std::vector<GgufNarrowed> write_gguf_adapter(const Adapter& adapter, const ModelConfig& config,
                                             const GgufMixture& mixture, const std::filesystem::path& path);

}  // namespace sdft
