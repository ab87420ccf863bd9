// As what each tensor of an exported model is stored: llama.cpp's mixtures of types, by its names for them.
#pragma once

#include <string>
#include <vector>

#include "model/format/config.h"
#include "model/format/gguf_quants.h"

namespace sdft {

struct GgufMixture {
  const char* name;      // "q4_k_m"
  uint32_t file_type;    // general.file_type
  const char* matrices;  // the type of most of them
  const char* head;      // of the head, or of the embedding where it is the head too
  bool more_bits;        // half of the layers' values and outputs of the mlp have 6 bits
};
// In the order of their sizes.
const std::vector<GgufMixture>& gguf_mixtures();
const GgufMixture& gguf_mixture(const std::string& name);  // one that there is

struct GgufChoice {
  const GgufType* wanted;  // what llama.cpp's rules say
  const GgufType* type;    // the same, or what takes its place in rows that are no multiple of its blocks
};
// Of a tensor by llama.cpp's name for it; norms, biases and routers are F32.
GgufChoice gguf_choice(const GgufMixture& mixture, const ModelConfig& config, const std::string& name,
                       const std::vector<int64_t>& shape);

}  // namespace sdft
