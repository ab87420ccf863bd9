#include "model/encoder.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/model_folder.h"
#include "base/work.h"
#include "model/format/config_reader.h"
#include "model/safetensors.h"
#include "tensor/ops.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
constexpr const char* kArchitecture = "BertModel";
constexpr int64_t kMostEncoderLayers = 1000;

struct ActivationName {
  const char* name;
  EncoderActivation activation;
};
constexpr ActivationName kActivations[] = {{"gelu", EncoderActivation::kGelu},
                                           {"gelu_new", EncoderActivation::kGeluTanh},
                                           {"gelu_pytorch_tanh", EncoderActivation::kGeluTanh},
                                           {"relu", EncoderActivation::kRelu},
                                           {"silu", EncoderActivation::kSilu},
                                           {"swish", EncoderActivation::kSilu}};

void require_bert(const Json& json, const std::string& where) {
  const auto names = value_or<std::vector<std::string>>(json, "architectures", {}, where);
  const auto type = value_or<std::string>(json, "model_type", "", where);
  const std::string hint =
      "sentence embeddings are made by a BertModel (all-MiniLM-L6-v2: tools/get-model minilm), or without an "
      "encoder by the chat model itself";
  if (!names.empty() && names[0] != kArchitecture)
    fail_input(where, "architecture '" + names[0] + "' is not supported as an encoder", hint);
  if (type != "bert") fail_input(where, "model_type '" + type + "' is not supported as an encoder", hint);
}

EncoderActivation read_activation(ConfigReader& reader) {
  const auto name = reader.get<std::string>("hidden_act", "gelu");
  for (const ActivationName& known : kActivations)
    if (name == known.name) return known.activation;
  reader.problems.push_back("'hidden_act': '" + name + "' is not supported, only gelu, gelu_new, relu, silu");
  return EncoderActivation::kGelu;
}
}  // namespace

EncoderConfig read_encoder_config(const fs::path& dir) {
  require_config(dir, FolderKind::kModel);
  const std::string where = (dir / "config.json").string();
  const Json json = read_json(dir / "config.json");
  if (!json.is_object()) fail_input(where, "expected an object, found " + describe(json));
  require_bert(json, where);
  ConfigReader reader{json, where};
  EncoderConfig config;
  config.vocab_size = reader.positive("vocab_size");
  config.hidden_size = reader.positive("hidden_size");
  config.intermediate_size = reader.positive("intermediate_size");
  config.num_hidden_layers = reader.positive("num_hidden_layers", 0, kMostEncoderLayers);
  config.num_attention_heads = reader.positive("num_attention_heads");
  config.max_position_embeddings = reader.positive("max_position_embeddings");
  config.type_vocab_size = reader.positive("type_vocab_size", 2);
  config.layer_norm_eps = reader.get("layer_norm_eps", 1e-12);
  config.activation = read_activation(reader);
  reader.unsupported("position_embedding_type", "absolute");
  reader.unsupported("is_decoder", false);
  reader.unsupported("add_cross_attention", false);
  if (reader.has("quantization_config"))
    reader.problems.push_back("'quantization_config': quantised weights are not supported");
  if (!(config.layer_norm_eps > 0) || !std::isfinite(config.layer_norm_eps))
    reader.problems.push_back("'layer_norm_eps': expected a positive number");
  if (config.num_attention_heads > 0 && config.hidden_size % config.num_attention_heads != 0)
    reader.problems.push_back("'hidden_size' is not a multiple of 'num_attention_heads'");
  if (reader.problems.empty()) return config;
  std::string text;
  for (const std::string& problem : reader.problems) text += (text.empty() ? "" : "; ") + problem;
  fail_input(where, text);
}

namespace {
struct EncoderWeight {
  std::string name;
  Tensor* tensor;
  std::vector<int64_t> shape;
};
using EncoderWeights = std::vector<EncoderWeight>;

void add_linear(EncoderWeights& list, LinearLayer& layer, const std::string& name, int64_t out, int64_t in) {
  layer.name = name;
  list.push_back({name + ".weight", &layer.weight, {out, in}});
  list.push_back({name + ".bias", &layer.bias, {out}});
}

void add_norm(EncoderWeights& list, LayerNorm& norm, const std::string& name, int64_t width) {
  list.push_back({name + ".weight", &norm.weight, {width}});
  list.push_back({name + ".bias", &norm.bias, {width}});
}

// Every weight that an embedding depends on, by its name in Hugging Face's files.
EncoderWeights weights_of(Encoder& encoder) {
  const EncoderConfig& c = encoder.config;
  const int64_t width = c.hidden_size;
  EncoderWeights list = {
      {"embeddings.word_embeddings.weight", &encoder.words, {c.vocab_size, width}},
      {"embeddings.position_embeddings.weight", &encoder.positions, {c.max_position_embeddings, width}},
      {"embeddings.token_type_embeddings.weight", &encoder.types, {c.type_vocab_size, width}}};
  add_norm(list, encoder.norm, "embeddings.LayerNorm", width);
  for (size_t i = 0; i < encoder.layers.size(); ++i) {
    EncoderLayer& layer = encoder.layers[i];
    const std::string prefix = "encoder.layer." + std::to_string(i) + ".";
    add_linear(list, layer.q, prefix + "attention.self.query", width, width);
    add_linear(list, layer.k, prefix + "attention.self.key", width, width);
    add_linear(list, layer.v, prefix + "attention.self.value", width, width);
    add_linear(list, layer.o, prefix + "attention.output.dense", width, width);
    add_norm(list, layer.attention_norm, prefix + "attention.output.LayerNorm", width);
    add_linear(list, layer.up, prefix + "intermediate.dense", c.intermediate_size, width);
    add_linear(list, layer.down, prefix + "output.dense", width, c.intermediate_size);
    add_norm(list, layer.mlp_norm, prefix + "output.LayerNorm", width);
  }
  return list;
}
}  // namespace

int64_t Encoder::parameters() const {
  int64_t total = 0;
  for (const EncoderWeight& weight : weights_of(const_cast<Encoder&>(*this)))
    total += weight.tensor->defined() ? weight.tensor->numel() : 0;
  return total;
}

Encoder load_encoder(const fs::path& dir, const std::string& device) {
  current_work = Work::kLoading;
  Encoder encoder;
  encoder.config = read_encoder_config(dir);
  encoder.device = resolve_device(device);
  encoder.layers.resize(static_cast<size_t>(encoder.config.num_hidden_layers));
  const ModelFiles files(dir);
  for (const EncoderWeight& weight : weights_of(encoder)) {
    stop_if_interrupted();
    const Tensor stored = files.get(weight.name);
    if (stored.sizes() != at::IntArrayRef(weight.shape))
      fail_input(dir.string(),
                 fmt::format("weights and config.json do not belong together: {} is [{}], "
                             "config.json asks for [{}]",
                             weight.name, fmt::join(stored.sizes(), ", "), fmt::join(weight.shape, ", ")));
    if (!at::isFloatingType(stored.scalar_type()))
      fail_input(dir.string(),
                 "tensor '" + weight.name + "' holds whole numbers: quantised weights are not supported");
    *weight.tensor = at::empty(stored.sizes(), at::TensorOptions().dtype(at::kFloat).device(encoder.device));
    weight.tensor->copy_(stored);
    files.release(weight.name);
  }
  return encoder;
}

namespace {
Tensor apply(const LinearLayer& layer, const Tensor& x) { return ops::linear(x, layer.weight, layer.bias); }

Tensor normalise(const Encoder& encoder, const LayerNorm& norm, const Tensor& x) {
  return at::layer_norm(x, {x.size(1)}, norm.weight, norm.bias, encoder.config.layer_norm_eps);
}

Tensor activate(EncoderActivation activation, const Tensor& x) {
  switch (activation) {
    case EncoderActivation::kGelu:
      return at::gelu(x);
    case EncoderActivation::kGeluTanh:
      return at::gelu(x, "tanh");
    case EncoderActivation::kRelu:
      return at::relu(x);
    case EncoderActivation::kSilu:
      return at::silu(x);
  }
  return x;
}

// One sequence, [T, H, D] each. Every token sees all of them, as the newest token of a cache does: to the
// operation the sequence is one token, whose T query heads share each head of keys (grouped queries).
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t length = q.size(0), heads = q.size(1), width = q.size(2);
  auto by_head = [](const Tensor& x) { return x.transpose(0, 1).contiguous(); };  // [H, T, D]
  const Tensor seen =
      ops::attention_cached(by_head(q).view({1, heads * length, width}), by_head(k).unsqueeze(0),
                            by_head(v).unsqueeze(0), {{1, 0, length}}, {1.0 / std::sqrt(width), 0, 0});
  return seen.view({heads, length, width}).transpose(0, 1).reshape({length, heads * width});
}

Tensor self_attention(const Encoder& encoder, const EncoderLayer& layer, const Tensor& x,
                      const std::vector<int64_t>& lengths) {
  const int64_t heads = encoder.config.num_attention_heads, width = x.size(1) / heads;
  auto split = [&](const LinearLayer& projection) {
    return apply(projection, x).view({x.size(0), heads, width});
  };
  const Tensor q = split(layer.q), k = split(layer.k), v = split(layer.v);
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    auto part = [&](const Tensor& t) { return t.narrow(0, begin, length); };
    rows.push_back(attend(part(q), part(k), part(v)));
    begin += length;
  }
  return apply(layer.o, at::cat(rows, 0));
}

Tensor embed(const Encoder& encoder, const PackedTokens& tokens) {
  std::vector<int64_t> places;  // [N]
  for (const int64_t length : tokens.sequences.lengths) {
    if (length < 1 || length > encoder.config.max_position_embeddings)
      fail_input("sequence of " + std::to_string(length) + " tokens",
                 "the encoder takes 1 to " + std::to_string(encoder.config.max_position_embeddings));
    const size_t begin = places.size();
    places.resize(begin + static_cast<size_t>(length));
    std::iota(places.begin() + static_cast<int64_t>(begin), places.end(), int64_t{0});
  }
  if (tokens.ids.min().item<int64_t>() < 0 || tokens.ids.max().item<int64_t>() >= encoder.config.vocab_size)
    fail_input("a token id",
               "is outside the encoder's vocabulary of " + std::to_string(encoder.config.vocab_size),
               "is the tokenizer this model's own?");
  const Tensor place = at::tensor(at::ArrayRef<int64_t>(places), at::kLong).to(encoder.device);
  const Tensor sum =
      at::embedding(encoder.words, tokens.ids) + encoder.types[0] + at::embedding(encoder.positions, place);
  return normalise(encoder, encoder.norm, sum);
}
}  // namespace

Tensor encode(const Encoder& encoder, const PackedTokens& tokens) {
  at::NoGradGuard no_grad;
  Tensor x = embed(encoder, tokens);
  for (const EncoderLayer& layer : encoder.layers) {
    x = normalise(encoder, layer.attention_norm,
                  x + self_attention(encoder, layer, x, tokens.sequences.lengths));
    const Tensor wide = activate(encoder.config.activation, apply(layer.up, x));
    x = normalise(encoder, layer.mlp_norm, x + apply(layer.down, wide));
  }
  return x;
}

}  // namespace sdft
