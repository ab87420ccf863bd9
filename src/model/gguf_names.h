// What llama.cpp calls the weights that Hugging Face has other names for, and how it orders their rows.
#pragma once

#include <string>

#include "model/format/config.h"
#include "tensor/torch_compat.h"

namespace sdft {

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight". An expert's matrix is one of a stack.
struct GgufName {
  std::string name;
  int64_t expert = -1;  // -1: not in a stack
};
GgufName gguf_name(const std::string& name, const ModelConfig& config);

// Heads of the rows that stand interleaved in the file: of q_proj and k_proj; 0 for all else.
int64_t interleaved_heads(const std::string& name, const ModelConfig& config);
// Rows of `heads` heads from Hugging Face's order into the file's, and back. Any number of columns, or a
// bias.
Tensor interleave(const Tensor& rows, int64_t heads);
Tensor uninterleave(const Tensor& rows, int64_t heads);

}  // namespace sdft
