// Adapters in the folder form of PEFT, adapter_config.json and adapter_model.safetensors: LoRA (Hu et al.
// 2021), with rsLoRA's scale, DoRA's magnitudes and PiSSA's beginning, and whole weights beside it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace sdft {

// A number for the layers whose names a regular expression matches, the whole name or its end behind a dot;
// the first that matches counts.
using LayerPatterns = std::vector<std::pair<std::string, double>>;

struct LoraConfig {
  int64_t rank = 8;
  double alpha = 16;
  double dropout = 0.1;
  // Names of linear layers ("q_proj"), "all-linear", and by name only "embed_tokens" and "lm_head".
  std::vector<std::string> target_modules = {"q_proj", "v_proj"};
  bool use_rslora = false;                    // scale alpha / sqrt(r) (Kalajdzievski 2023)
  bool use_dora = false;                      // magnitudes of their own (Liu et al. 2024)
  std::string init = "kaiming";               // lora_inits(), of a new adapter
  LayerPatterns rank_pattern, alpha_pattern;  // of a new adapter; those of a loaded one are in its pairs
  // Trained whole, of a new adapter: "embed_tokens", "lm_head".
  std::vector<std::string> modules_to_save = {};
};
// "kaiming": A random and B zero; "pissa": the strongest directions of the weight itself (Meng et al. 2024).
const std::vector<std::string>& lora_inits();

// The low-rank update of one layer: y += scale * B A dropout(x). Of the embedding, x is one-hot.
struct LoraPair {
  Tensor a;            // [r, in] f32
  Tensor b;            // [out, r] f32
  double scale = 1.0;  // alpha / r, with rsLoRA alpha / sqrt(r)
  // DoRA, else undefined: row i of W + scale B A is multiplied with magnitude[i] / norm[i].
  Tensor magnitude = {};  // [out] f32, trained
  Tensor norm = {};       // [out] f32, of the rows of W + scale B A: see refresh_norms()
  // PiSSA while it is trained, else undefined: what A and B were before. y += scale * (B A - B0 A0) x, so
  // that the weights may stay as they are. [r, in], [out, r] f32
  Tensor a0 = {}, b0 = {};
};
// What a layer gives with its update, [N, out], of y = x W^T + bias, which it gives without. x [N, in]; seen:
// x with dropout, or x itself. Where no gradient is recorded it may take the memory of y.
Tensor adapted(const Tensor& y, const LinearLayer& layer, const LoraPair& lora, const Tensor& x,
               const Tensor& seen, ops::MatmulPrecision precision = ops::MatmulPrecision::kFull);
// What DoRA multiplies each row with, [out]; the gradient goes to the magnitude alone.
Tensor dora_factor(const LoraPair& pair);
// The update as one pair of factors in which nothing cancels, without its scale: B A, or B A - B0 A0 as
// [B - B0, B0] [A; A - A0].
struct LowRank {
  Tensor b, a;  // [out, k], [k, in]
};
LowRank update_of(const LoraPair& pair);

struct Adapter {
  LoraConfig config;
  std::map<std::string, LoraPair> pairs;  // by LoraLayer::name
  // Whole weights in place of the model's (PEFT's modules_to_save), by their Hugging Face name.
  std::map<std::string, Tensor> replaced;
  bool nested =
      false;  // for a model that sees images too (ModelConfig::nested): PEFT names its layers otherwise

  bool empty() const { return pairs.empty() && replaced.empty(); }
  const LoraPair* find(const std::string& layer) const;  // null where the layer has no update
  // The whole weight of that name, or the model's own.
  const Tensor& replacement(const std::string& name, const Tensor& own) const;
};

inline const std::string kEmbedLayer = "model.embed_tokens", kHeadLayer = "lm_head";

// A matrix that may have an update. The tensor is the model's.
struct LoraLayer {
  std::string name;  // "model.layers.0.self_attn.q_proj"
  Tensor weight;     // [out, in]; the embedding's is turned round, [C, V], as PEFT sees it
  bool vocabulary;   // the embedding or the head
};
std::vector<LoraLayer> lora_layers(Model model);  // a copy, which shares the tensors

// What can be known about settings before the weights are loaded. Error(kUsage) with all problems: a rank
// beyond one of the layers, a target or a pattern that fits nothing, numbers out of range, what cannot go
// together.
void check_lora(const ModelConfig& model, const LoraConfig& config);
// As PEFT begins: A uniform(-1/sqrt(in), 1/sqrt(in)), B zero; of the embedding A zero and B normal(0, 1);
// magnitudes the norms of W's rows. Checks as check_lora does. Of a skeleton: the shapes alone.
Adapter init_adapter(Model& model, const LoraConfig& config, uint64_t seed);
// Of an adapter's folder, or one that has it in "adapter", as a variant's has. Throws Error(kInput): not an
// adapter folder, an adapter for another model (first module that does not fit, with both shapes), numbers
// that are not finite, or a kind that is not supported, by name.
Adapter load_adapter(Model& model, const std::filesystem::path& dir);
// A plain adapter also where PiSSA was trained, of twice the rank, as PEFT converts it. Error(kInput) naming
// the tensor where a number is not finite.
void save_adapter(const Adapter& adapter, const std::filesystem::path& dir, const std::string& base_model);

// A weight of the model by its Hugging Face name; null where there is none. A tied head has one too.
Tensor* find_weight(Model& model, const std::string& name);

// Computes DoRA's norms anew, which is due whenever A, B or the model's weights have changed; loading and
// beginning do it. Of an adapter without DoRA it does nothing.
void refresh_norms(const Model& model, Adapter& adapter);

// The model with the adapter's whole weights in place of its own; all others are shared, none is copied.
Model with_replaced(const Model& model, const Adapter& adapter);
// Adds the updates to the weights, which cannot be undone. Where one of two tied weights changes alone, they
// are tied no longer.
void merge_adapter(Model& model, const Adapter& adapter);

}  // namespace sdft
