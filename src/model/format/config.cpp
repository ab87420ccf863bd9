#include "model/format/config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/model_folder.h"
#include "model/format/architectures.h"
#include "model/format/config_reader.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// Far beyond every model there is: each layer and expert takes memory before its weights are looked for.
constexpr int64_t kMostLayers = 1000, kMostExperts = 1000, kMostExpertsInAll = 100'000;
constexpr int64_t kMostParameters = int64_t{1} << 48;
constexpr size_t kMostEndTokens = 1000;

std::string join(const std::vector<std::string>& items, const std::string& separator) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

std::vector<int32_t> token_ids(const Json& json, const std::string& key, const std::string& where) {
  std::vector<int32_t> ids;
  const Json found = value_or<Json>(json, key, Json::array(), where);
  const Json list = found.is_array() ? found : Json::array({found});
  if (list.size() > kMostEndTokens)
    fail_input(where + ": field '" + key + "'", "has " + std::to_string(list.size()) + " tokens");
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() != id.get<int32_t>())
      fail_input(where + ": " + key, "expected a token id or a list of them, found " + describe(id));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

const Architecture& find_architecture(const Json& json, const std::string& where) {
  const auto names = value_or<std::vector<std::string>>(json, "architectures", {}, where);
  const auto type = value_or<std::string>(json, "model_type", "", where);
  const auto& list = architectures();
  auto row = std::find_if(list.begin(), list.end(), [&](const Architecture& a) {
    return names.empty() ? type == a.model_type : names[0] == a.name;
  });
  if (row == list.end())
    fail_input(where, "unknown architecture '" + (names.empty() ? type : names[0]) + "'",
               "known: " + join(known_architectures(), ", "));
  if (!type.empty() && type != row->model_type)
    fail_input(where, "'architectures' says " + row->name + ", but 'model_type' is '" + type + "'");
  return *row;
}

// The architecture whose whole model, one that also sees images, the file is of; null: of none.
const Architecture* part_of_whole(const Json& json) {
  const Json names = json.value("architectures", Json());
  const bool named = names.is_array() && !names.empty();
  for (const Architecture& row : architectures())
    if (row.whole &&
        (named ? names[0] == row.whole->name : json.value("model_type", Json()) == row.whole->model_type))
      return &row;
  return nullptr;
}

// The text part as the folder of a text model would have it.
Json text_part(const Json& json, const Architecture& row, const std::string& where) {
  if (!json.contains("text_config") || !json["text_config"].is_object())
    fail_field(json, "text_config", where);
  Json text = row.whole->text_defaults;
  text.update(json["text_config"]);
  for (const char* key : {"tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id",
                          "torch_dtype", "dtype", "transformers_version", "quantization_config"})
    if (json.contains(key)) text[key] = json[key];
  text["architectures"] = {row.name};
  text["model_type"] = row.model_type;
  return text;
}

void read_sizes(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  config.vocab_size = reader.positive("vocab_size");
  config.hidden_size = reader.positive("hidden_size");
  config.intermediate_size = reader.positive("intermediate_size");
  config.num_hidden_layers = reader.positive("num_hidden_layers", 0, kMostLayers);
  config.num_attention_heads = reader.positive("num_attention_heads");
  config.num_key_value_heads = reader.positive("num_key_value_heads", config.num_attention_heads);
  config.max_position_embeddings = reader.positive("max_position_embeddings", 2048);
  if (config.num_attention_heads > 0 && config.num_key_value_heads > 0) {
    config.head_dim = reader.positive(
        "head_dim", row.head_dim > 0 ? row.head_dim : config.hidden_size / config.num_attention_heads);
    if (config.num_attention_heads % config.num_key_value_heads != 0)
      reader.problems.push_back("'num_attention_heads' is not a multiple of 'num_key_value_heads'");
  }
}

void read_experts(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  if (!row.experts) return;
  config.expert_names = row.expert_names;
  config.num_experts = reader.positive(
      reader.has("num_local_experts") ? "num_local_experts" : row.expert_count_key, 0, kMostExperts);
  config.experts_per_token = reader.positive("num_experts_per_tok");
  config.expert_size =
      row.expert_size_key.empty() ? config.intermediate_size : reader.positive(row.expert_size_key);
  config.normalize_experts = !row.experts_normalized_if_asked || reader.get("norm_topk_prob", false);
  if (config.num_experts * config.num_hidden_layers > kMostExpertsInAll)
    reader.problems.push_back("more than " + std::to_string(kMostExpertsInAll) +
                              " experts are not supported");
  if (config.experts_per_token > config.num_experts)
    reader.problems.push_back("'num_experts_per_tok' is more than there are experts");
}

// One kind of attention for each layer, where config.json says; entries are empty where it does not.
std::vector<std::string> read_layer_types(ConfigReader& reader, int64_t count) {
  auto types = reader.get<std::vector<std::string>>("layer_types", {});
  if (!types.empty() && static_cast<int64_t>(types.size()) != count)
    reader.problems.push_back("'layer_types' has " + std::to_string(types.size()) + " entries for " +
                              std::to_string(count) + " layers");
  for (const std::string& type : types)
    if (type != "sliding_attention" && type != "full_attention") {
      reader.problems.push_back("'layer_types': " + type + " is not supported");
      break;
    }
  types.resize(static_cast<size_t>(count));
  return types;
}

// Which layers' attention sees a window only.
void read_windows(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  const auto window = reader.get_or_null<int64_t>("sliding_window", row.window, 0);
  if (window < 0) reader.problems.push_back("'sliding_window': expected a positive number");
  const auto types = read_layer_types(reader, config.num_hidden_layers);
  const auto pattern = reader.positive(
      reader.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern", 6);
  const bool asked = reader.get("use_sliding_window", false);
  const auto first_window = reader.get<int64_t>("max_window_layers", 28);
  for (int64_t i = 0; i < config.num_hidden_layers && pattern > 0; ++i) {
    LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    const std::string& type = types[static_cast<size_t>(i)];
    bool slides = false;
    switch (row.windows) {
      case Windows::kNone:
        break;
      case Windows::kAll:
        slides = true;
        break;
      case Windows::kAllIfAsked:
        slides = asked;
        break;
      case Windows::kFromLayerOn:
        slides = asked && (type.empty() ? i >= first_window : type == "sliding_attention");
        break;
      case Windows::kWithoutPosition:
        slides = type.empty() ? asked && layer.rope < 0 : type == "sliding_attention";
        break;
      case Windows::kAlternate:
        slides = type.empty() ? i % 2 == 0 : type == "sliding_attention";
        break;
      case Windows::kPattern:
        slides = type.empty() ? (i + 1) % pattern != 0 : type == "sliding_attention";
        break;
    }
    if (slides) layer.window = window;
    if (row.local_rope && slides) layer.rope = 1;
  }
}

// Layer by layer: what its attention sees, how positions are encoded, whether it has experts.
void read_layers(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  config.layers.assign(static_cast<size_t>(config.num_hidden_layers), LayerConfig());
  const auto rotated = reader.get<std::vector<int64_t>>("no_rope_layers", {});  // 0 where not
  const auto interval = reader.positive("no_rope_layer_interval", 4);
  const auto dense = reader.get<std::vector<int64_t>>("mlp_only_layers", {});
  const auto step = reader.positive("decoder_sparse_step", 1);
  if (row.layers_without_rope && reader.has("no_rope_layers") && rotated.size() < config.layers.size())
    reader.problems.push_back("'no_rope_layers' has fewer entries than there are layers");
  if (!reader.problems.empty()) return;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    if (row.layers_without_rope &&
        (rotated.empty() ? (i + 1) % interval == 0 : rotated[static_cast<size_t>(i)] == 0))
      layer.rope = -1;
    const bool mixes = std::find(dense.begin(), dense.end(), i) == dense.end() && (i + 1) % step == 0;
    layer.experts = row.experts && (mixes || !row.some_layers_dense);
  }
  read_windows(reader, row, config);
}

void read_activation(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  const auto name = reader.get(row.activation_key, row.activation);
  if (name == "silu" || name == "swish") {
    config.activation = Activation::kSilu;
  } else if (name == "gelu_pytorch_tanh" || name == "gelu_new") {
    config.activation = Activation::kGeluTanh;
  } else {
    reader.problems.push_back("'" + row.activation_key + "': '" + name +
                              "' is not supported, only silu and gelu_pytorch_tanh");
  }
}

double read_softcap(ConfigReader& reader, const std::string& key, const std::optional<double>& otherwise) {
  if (otherwise) return reader.get_or_null(key, *otherwise, 0.0);
  reader.unsupported(key, nullptr);
  return 0;
}

void read_attention(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  const bool asked = reader.get("attention_bias", false);
  if (asked && row.attention_bias == AttentionBias::kNone)
    reader.problems.push_back("'attention_bias': true is not supported for " + row.name);
  config.qkv_bias = row.attention_bias == AttentionBias::kQkv || asked;
  config.o_bias = row.attention_bias == AttentionBias::kIfAsked && asked;
  config.mlp_bias = reader.get("mlp_bias", false);
  if (config.mlp_bias && !row.mlp_bias)
    reader.problems.push_back("'mlp_bias': true is not supported for " + row.name);
  double scaled_by = static_cast<double>(config.head_dim);
  if (row.scale_by_query_pre_attn_scalar) {
    scaled_by = reader.get("query_pre_attn_scalar", 256.0);
    if (!(scaled_by > 0)) reader.problems.push_back("'query_pre_attn_scalar': expected a positive number");
  }
  config.attention_scale = 1.0 / std::sqrt(scaled_by);
  config.attention_softcap = read_softcap(reader, "attn_logit_softcapping", row.attention_softcap);
  config.final_softcap = read_softcap(reader, "final_logit_softcapping", row.final_softcap);
  if (config.attention_softcap < 0 || config.final_softcap < 0)
    reader.problems.push_back(
        "'attn_logit_softcapping', 'final_logit_softcapping': expected positive numbers");
  if (reader.get("use_bidirectional_attention", false))
    reader.problems.push_back("'use_bidirectional_attention': true is not supported");
  const double partial = config.rope.partial;
  if (!(partial > 0 && partial <= 1))
    reader.problems.push_back("'partial_rotary_factor': expected a number above 0 and up to 1");
  else if (partial != 1 && !row.partial_rotary)
    reader.problems.push_back("'partial_rotary_factor' below 1 is not supported for " + row.name);
  else if (static_cast<int64_t>(static_cast<double>(config.head_dim) * partial) % 2 != 0)
    reader.problems.push_back("'head_dim' is odd; rotary embeddings need pairs");
}
}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& row : architectures()) names.push_back(row.name);
  return names;
}

int64_t ModelConfig::rotary_dim() const {
  return static_cast<int64_t>(static_cast<double>(head_dim) * rope.partial) / 2 * 2;
}

// As the list of weights in model/weights.cpp, which a test compares with it.
int64_t ModelConfig::parameters() const {
  using Wide = __int128;  // sizes are below 2^28 and layers and experts few: nothing runs over
  const Wide c = hidden_size, q = Wide{num_attention_heads} * head_dim,
             kv = Wide{num_key_value_heads} * head_dim;
  auto linear = [](Wide out, Wide in, bool bias) { return out * in + (bias ? out : 0); };
  Wide attention = linear(q + 2 * kv, c, qkv_bias) + linear(c, q, o_bias);
  if (head_norm == HeadNorm::kHead) attention += 2 * head_dim;
  if (head_norm == HeadNorm::kWhole) attention += q + kv;
  const Wide mlp = linear(2 * Wide{intermediate_size}, c, mlp_bias) + linear(c, intermediate_size, mlp_bias);
  const Wide experts = num_experts * (c + 3 * expert_size * c);  // with the router
  const Wide norms = (norm_placement == NormPlacement::kBoth ? 4 : 2) * c;
  Wide total = (tie_word_embeddings ? 1 : 2) * vocab_size * c + c;
  for (const LayerConfig& layer : layers) total += attention + norms + (layer.experts ? experts : mlp);
  return static_cast<int64_t>(std::min<Wide>(total, std::numeric_limits<int64_t>::max()));
}

ModelConfig parse_config(const Json& file, const std::string& where) {
  if (!file.is_object()) fail_input(where, "expected an object, found " + describe(file));
  const Architecture* part = part_of_whole(file);
  const Json json = part ? text_part(file, *part, where) : file;
  const Architecture& row = find_architecture(json, where);
  ConfigReader reader{json, where};
  ModelConfig config;
  config.json = json;
  config.nested = part != nullptr;
  config.architecture = row.name;
  config.model_type = row.model_type;
  config.norm_placement = row.norm_placement;
  config.head_norm = row.head_norm;
  config.norm_offset = row.norm_offset;
  config.fused_qkv = row.fused_qkv;
  config.fused_gate_up = row.fused_gate_up;
  read_sizes(reader, row, config);
  read_experts(reader, row, config);
  if (config.head_dim > 0) read_rope(reader, row, &config);
  read_layers(reader, row, config);
  read_activation(reader, row, config);
  read_attention(reader, row, config);
  config.rms_norm_eps = reader.get("rms_norm_eps", row.rms_norm_eps);
  if (!(config.rms_norm_eps >= 0 && config.rms_norm_eps < 1))
    reader.problems.push_back("'rms_norm_eps': expected a small positive number");
  config.tie_word_embeddings = reader.get("tie_word_embeddings", row.tied);
  if (row.scaled_embeddings) config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  if (reader.has("quantization_config"))
    reader.problems.push_back(
        "'quantization_config': quantised weights are not supported; use the f32, f16 or bf16 folder");
  config.eos_token_ids = token_ids(json, "eos_token_id", where);
  if (reader.problems.empty() && config.parameters() > kMostParameters)
    reader.problems.push_back("its sizes ask for more weights than any model has");
  if (!reader.problems.empty()) fail_input(where, join(reader.problems, "; "));
  return config;
}

ModelConfig read_config(const fs::path& model_dir) {
  require_config(model_dir, FolderKind::kModel);
  const fs::path path = model_dir / "config.json";
  ModelConfig config = parse_config(read_json(path), path.string());
  const fs::path generation = model_dir / "generation_config.json";
  if (fs::exists(generation))
    for (int32_t id : token_ids(read_json(generation), "eos_token_id", generation.string()))
      if (std::find(config.eos_token_ids.begin(), config.eos_token_ids.end(), id) ==
          config.eos_token_ids.end())
        config.eos_token_ids.push_back(id);
  return config;
}

}  // namespace sdft
