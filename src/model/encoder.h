// BERT (Devlin et al. 2018, arXiv 1810.04805): text in both directions, for sentence embeddings. Read only:
// f32, no gradient. Shapes: N tokens of all sequences one after another, C hidden size, V vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/model.h"

namespace sdft {

enum class EncoderActivation { kGelu, kGeluTanh, kRelu, kSilu };

// What config.json says, under its own names.
struct EncoderConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t max_position_embeddings = 0;  // longest sequence that is accepted
  int64_t type_vocab_size = 0;
  double layer_norm_eps = 1e-12;
  EncoderActivation activation = EncoderActivation::kGelu;
};

struct LayerNorm {  // Ba et al. 2016
  Tensor weight, bias;
};

// Both branches are normalised behind their sum with the residual.
struct EncoderLayer {
  LinearLayer q, k, v, o;
  LayerNorm attention_norm;
  LinearLayer up, down;
  LayerNorm mlp_norm;
};

struct Encoder {
  EncoderConfig config;
  at::Device device = at::kCPU;
  Tensor words;      // [V, C]
  Tensor positions;  // [max_position_embeddings, C]
  Tensor types;      // [type_vocab_size, C]; the first row's are all tokens
  LayerNorm norm;
  std::vector<EncoderLayer> layers;

  int64_t parameters() const;
};

// Throws Error(kInput): no BertModel (named), settings that are not supported, numbers that are missing or
// impossible; all problems of the file at once.
EncoderConfig read_encoder_config(const std::filesystem::path& dir);
// config.json and the weights, whatever type they are stored in; device: as LoadOptions has it. Throws
// Error(kInput) naming file and tensor: missing, truncated, of another shape.
Encoder load_encoder(const std::filesystem::path& dir, const std::string& device = "auto");

// Hidden states of the last layer, [N, C] f32. A sequence's do not depend on its neighbours. Error(kInput)
// for one that is empty or longer than max_position_embeddings, and for ids outside the vocabulary.
Tensor encode(const Encoder& encoder, const PackedTokens& tokens);

}  // namespace sdft
