// Adapters (LoRA, Hu et al. 2021) in the folder form of PEFT: adapter_config.json and
// adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/model.h"

namespace sdft {

struct LoraConfig {
  int64_t rank = 8;
  double alpha = 16;
  double dropout = 0.1;
  // Names of linear layers ("q_proj"), or {"all-linear"}.
  std::vector<std::string> target_modules = {"q_proj", "v_proj"};
  bool use_rslora = false;  // scale alpha / sqrt(r) (Kalajdzievski 2023)
};

// The low-rank update of one linear layer: y += scale * B A dropout(x). (Hu et al. 2021)
struct LoraPair {
  Tensor a;            // [r, in] f32
  Tensor b;            // [out, r] f32
  double scale = 1.0;  // alpha / r, with rsLoRA alpha / sqrt(r)
};

struct Adapter {
  LoraConfig config;
  std::map<std::string, LoraPair> pairs;  // by LinearLayer::name
  // Whole weights in place of the model's (PEFT's modules_to_save), by their Hugging Face name.
  std::map<std::string, Tensor> replaced;
  bool nested =
      false;  // for a model that sees images too (ModelConfig::nested): PEFT names its layers otherwise

  bool empty() const { return pairs.empty() && replaced.empty(); }
  const LoraPair* find(const std::string& layer) const;  // null where the layer has no update
  // The whole weight of that name, or the model's own.
  const Tensor& replacement(const std::string& name, const Tensor& own) const;
};

// What can be known about settings before the weights are loaded. Error(kUsage): a rank beyond one of the
// layers, a target that the model lacks, numbers out of range.
void check_lora(const ModelConfig& model, const LoraConfig& config);
// A: uniform(-1/sqrt(in), 1/sqrt(in)) as PEFT's default, B: zero. Checks as check_lora does.
Adapter init_adapter(Model& model, const LoraConfig& config, uint64_t seed);
// Throws Error(kInput): not an adapter folder, an adapter for another model (first module that does not fit,
// with both shapes), numbers that are not finite, or a kind that is not supported (DoRA, ...), by name.
Adapter load_adapter(Model& model, const std::filesystem::path& dir);
// Error(kInput) naming the tensor where a number is not finite.
void save_adapter(const Adapter& adapter, const std::filesystem::path& dir, const std::string& base_model);

// A weight of the model by its Hugging Face name; null where there is none. A tied head has one too.
Tensor* find_weight(Model& model, const std::string& name);

// The model with the adapter's whole weights in place of its own; all others are shared, none is copied.
Model with_replaced(const Model& model, const Adapter& adapter);
// Adds the updates to the weights, which cannot be undone. Where one of two tied weights is replaced, they
// are tied no longer.
void merge_adapter(Model& model, const Adapter& adapter);

}  // namespace sdft
