// A transformer: weights as plain tensors, the forward pass as one function; architectures differ by what
// their ModelConfig says. Shapes: N tokens of all sequences one after another, C hidden size, H heads, Hkv
// key/value heads, D head size, V vocab, E experts.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/format/config.h"
#include "model/rope.h"
#include "tensor/ops.h"

namespace sdft {

struct LinearLayer {
  std::string name;  // "model.layers.0.self_attn.q_proj"
  Tensor weight;     // [out, in]
  Tensor bias;       // [out] or undefined
};

struct Mlp {
  LinearLayer gate, up, down;
  LinearLayer gate_up;  // in place of gate and up, [2 F, C], where they are fused (Phi-3)
};

// Norms and layers that an architecture lacks are undefined tensors.
struct Layer {
  LayerConfig config;
  Tensor attention_norm, attention_out_norm;  // [C], before and after attention
  Tensor mlp_norm, mlp_out_norm;              // [C]
  Tensor q_norm, k_norm;                      // [D], or [H D] and [Hkv D]
  LinearLayer q, k, v, o;
  LinearLayer qkv;  // in place of q, k and v, [(H + 2 Hkv) D, C], where they are fused (Phi-3)
  Mlp mlp;
  Tensor router;             // [E, C]
  std::vector<Mlp> experts;  // E
};

struct Model {
  ModelConfig config;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  ops::MatmulPrecision precision = ops::MatmulPrecision::kFull;  // of its products, at least
  Tensor embed;                                                  // [V, C]
  std::vector<Layer> layers;
  Tensor norm;     // [C]
  Tensor lm_head;  // [V, C]; the same tensor as embed where tied
  RopeTables rope, local_rope;
};

struct Adapter;  // lora.h

// The weights with an adapter, or as they are: the seed and any number of tuned models over one copy. What
// runs a model takes one of these by value; a Model alone is the seed. Owns nothing.
struct ModelView {
  const Model* weights;
  const Adapter* adapter;

  ModelView(const Model& model, const Adapter* with = nullptr) : weights(&model), adapter(with) {}
  const Model* operator->() const { return weights; }
};

struct LoadOptions {
  std::string device = "auto";  // auto | cpu | cuda
  std::string dtype = "auto";   // what is computed in: auto (f32 on the CPU, bf16 on a GPU) | f32 | bf16
  // Matrices stay f16 or bf16 in memory where the folder has them so and f32 is computed in, on the CPU: half
  // the memory and the same results, for models that are read and not changed.
  bool as_stored = false;
  // auto: as above | f32: widened | bf16: matrices are rounded to bf16 and so is what is multiplied with
  // them, beside f32 for all else (Model::precision) | int8, q4: the same with linear layers and the head in
  // few bits (tensor/quantised.h); the CPU only. Only where f32 is computed in.
  std::string weights = "auto";
};

// Whether LoadOptions::weights changes results: whether what is computed is rounded.
inline bool rounds(const std::string& weights) { return weights != "auto" && weights != "f32"; }
// "auto" is a GPU where libtorch finds one. Throws Error(kDevice) where the wanted one is not there.
at::Device resolve_device(const std::string& name);
// Reads config.json and the weights. Throws Error(kInput) naming file and tensor: missing, truncated, of
// another shape.
Model load_model(const std::filesystem::path& dir, const LoadOptions& options = {});
// Random weights, normal(0, 0.02) with the residual outputs scaled by 1/sqrt(2 layers) (GPT-2); norms are
// one, biases zero. as_stored: as if a folder had them in bf16.
Model init_model(const ModelConfig& config, uint64_t seed, const LoadOptions& options = {});
// The same model with all weights in the type that it computes in; it shares those that are.
Model widened(const Model& model);
// The same with weights of its own, to be changed.
Model clone(const Model& model);
// config.json, generation_config.json and model.safetensors in Hugging Face's form; tokenizer files are
// copied from `tokenizer_from` (may be empty).
void save_model(const Model& model, const std::filesystem::path& dir,
                const std::filesystem::path& tokenizer_from, at::ScalarType dtype);

// A stored weight's name as it would be without an image model beside it: "language_model.model.norm.weight"
// and "model.language_model.norm.weight" are "model.norm.weight".
std::string plain_name(const std::string& stored);
// Every weight with its Hugging Face name, in a fixed order; lm_head is left out where it is tied.
std::vector<std::pair<std::string, Tensor*>> named_parameters(Model& model);
// The linear layers of attention and mlps: all but the head, the router and the experts (as PEFT sees
// Transformers' fused experts).
void for_each_linear(Model& model, const std::function<void(LinearLayer&)>& use);

// Keys and values of earlier tokens: per layer [slots, Hkv, Tmax, D].
struct KvCache {
  std::vector<Tensor> keys, values;
};
at::ScalarType cache_type(const Model& model);  // bf16 where its products are
KvCache make_cache(const Model& model, int64_t slots, int64_t max_tokens);
Tensor cache_part(const Model& model, int64_t slots, int64_t max_tokens);  // one of its tensors

// Sequences one after another, each starting at position 0, behind what they share at their beginning.
struct PackedTokens {
  Tensor ids;  // [N] i64
  ops::Sequences sequences;

  // Where token t of a sequence stands.
  int64_t row(size_t sequence, int64_t t) const;
};
// shared: so many first tokens, which all of them have, are to stand there once; below every length.
PackedTokens pack(const std::vector<std::vector<int32_t>>& sequences, at::Device device, int64_t shared = 0);
// The most of them.
int64_t shared_tokens(const std::vector<std::vector<int32_t>>& sequences);

struct Dropout {
  double p = 0.0;    // on the input of LoRA's A
  uint64_t key = 0;  // another one a step
};
// NEFTune (Jain et al. 2023, arXiv 2310.05914): uniform noise on the embeddings of a sequence of L tokens, up
// to alpha / sqrt(L C).
struct EmbeddingNoise {
  double alpha = 0;  // 0: none
  uint64_t key = 0;  // another one a step
};
// What training changes of a forward pass.
struct ForwardOptions {
  Dropout dropout;
  ops::MatmulPrecision precision = ops::MatmulPrecision::kFull;  // the model's own where that is less
  EmbeddingNoise noise = {};
  bool recompute = false;  // each layer keeps its input alone and runs again for gradients; the same results.
                           // The adapter must live until backward() has ended.
};
// What products with the model's weights are computed in.
ops::MatmulPrecision precision_of(ModelView model, const ForwardOptions& options = {});
// Whether a token's numbers follow from the tokens before it alone, so that sequences may share their
// beginning: not where rope is stretched by a sequence's length.
bool can_share(const Model& model);
// Final hidden states [N, C], normalised; logits() of them are the model's. Shared beginnings need
// can_share() and neither dropout nor noise. rows [n] i64: of these alone, [n, C].
Tensor forward(ModelView model, const PackedTokens& tokens, const ForwardOptions& options = {},
               const Tensor& rows = {});
// The same for the newest tokens of each segment, earlier ones coming from the cache, which is extended. No
// gradient. last_only: hidden states of each segment's last token only, [segments, C].
Tensor forward_cached(ModelView model, const Tensor& ids, const std::vector<ops::CacheSegment>& segments,
                      KvCache& cache, bool last_only = false);
Tensor logits(ModelView model, const Tensor& hidden);  // [n, C] -> [n, V]

// Consecutive segments that one model answers: several adapters in one pass over the same weights, each to
// the bits of a pass of its own. With more than one of them none may have whole weights (Adapter::replaced).
struct AdapterSpan {
  const Adapter* adapter;  // null: the weights as they are
  int64_t segments;
};
Tensor forward_cached(const Model& model, const std::vector<AdapterSpan>& spans, const Tensor& ids,
                      const std::vector<ops::CacheSegment>& segments, KvCache& cache, bool last_only = false);
// hidden [n, C]: a row for each segment of the spans.
Tensor logits(const Model& model, const std::vector<AdapterSpan>& spans, const Tensor& hidden);
// What a loss makes the same logits of, with gradients; an adapter on the head makes it wider than C.
// `options` as those of the forward pass.
ops::Head head_of(ModelView model, const Tensor& hidden, const ForwardOptions& options = {});

}  // namespace sdft
