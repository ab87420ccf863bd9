// What the settings of an adapter and its folder have in common: names, scales, patterns.
#pragma once

#include "base/regex.h"
#include "model/lora.h"

namespace sdft {

// "q_proj" of "model.layers.0.self_attn.q_proj".
std::string last_part(const std::string& name);
// "model.embed_tokens.weight", of a module's weight.
inline std::string weight_name(const std::string& layer) { return layer + ".weight"; }
std::string shape_text(at::IntArrayRef shape);  // "[3, 4]"
double scale_of(double alpha, double rank, bool rslora);
// PEFT's reading of target_modules: the whole name, or its end behind a dot.
bool is_target(const LoraConfig& config, const LoraLayer& layer);
// The name of a layer or weight in the model that PEFT would have loaded from the same folder.
std::string peft_name(bool nested, const std::string& name);

struct CompiledPattern {
  std::string text;
  Regex regex;
  double value;
};
using CompiledPatterns = std::vector<CompiledPattern>;
// where: of the map, for Error(kInput).
CompiledPatterns compile(const LayerPatterns& patterns, const std::string& where);
double value_of(const CompiledPatterns& patterns, const std::string& peft_name, double otherwise);

}  // namespace sdft
