// What llama.cpp calls the models and weights that Hugging Face has other names for.
#pragma once

#include <string>

#include "model/config.h"
#include "tensor/torch_compat.h"

namespace sdft {

struct GgufFamily {
  const char* name;          // general.architecture: "llama"
  const char* architecture;  // config.json's: "LlamaForCausalLM"
  // Rows of q and k stand so that a head's rotated pairs are neighbours: (0, D/2, 1, D/2 + 1, ...).
  bool interleaved;
};

// Of a file; Error(kInput) naming `where` and the known ones. The first row of a name: config.json may still
// have to choose a sibling (a "llama" with experts is a Mixtral).
const GgufFamily& gguf_family(const std::string& name, const std::string& where);
// Of a model folder.
const GgufFamily& gguf_family_of(const ModelConfig& config, const std::string& where);

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight". An expert's matrix is one of a stack.
struct GgufName {
  std::string name;
  int64_t expert = -1;  // -1: not in a stack
};
GgufName gguf_name(const std::string& name, const ModelConfig& config);

// Heads of the rows that stand interleaved in the file: of q_proj and k_proj; 0 for all else.
int64_t interleaved_heads(const std::string& name, const GgufFamily& family, const ModelConfig& config);
// Rows of `heads` heads from Hugging Face's order into the file's, and back. Any number of columns, or a
// bias.
Tensor interleave(const Tensor& rows, int64_t heads);
Tensor uninterleave(const Tensor& rows, int64_t heads);

}  // namespace sdft
