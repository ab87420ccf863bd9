#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/config_reader.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
enum class Windows {
  kNone,
  kAll,         // Mistral, Phi-3: every layer, where sliding_window is a number
  kAllIfAsked,  // Qwen3-MoE: every layer, where use_sliding_window is set
  kIfAsked,     // Qwen: use_sliding_window, from max_window_layers on
  kNope,        // SmolLM3: use_sliding_window, layers without positions
  kAlternate,   // Gemma 2: every other layer, the first one included
  kPattern,     // Gemma 3: all but every sliding_window_pattern-th
};
enum class Bias { kNo, kConfig, kQkv };

// What an architecture is before its config.json says more. A new one is a new row.
struct Architecture {
  const char *name, *model_type;
  Bias attention_bias = Bias::kNo;
  bool mlp_bias = false;  // config.json may ask for it
  Windows windows = Windows::kNone;
  int64_t window = 0;  // where config.json does not say
  NormPlacement norm_placement = NormPlacement::kBefore;
  HeadNorm head_norm = HeadNorm::kNone;
  bool gemma = false;  // norms with 1 + weight, scaled embeddings, GELU, scale by query_pre_attn_scalar
  bool fused = false;  // qkv_proj and gate_up_proj
  bool tied = false;   // where config.json does not say
  double rms_norm_eps = 1e-6, rope_theta = 10000.0;
  int64_t head_dim = 0;  // 0: hidden_size / heads
  bool experts = false;
  ExpertNames expert_names = ExpertNames::kMlp;
  double attention_softcap = 0, final_softcap = 0;  // where config.json does not say
};

using N = NormPlacement;
using H = HeadNorm;
constexpr Architecture kArchitectures[] = {
    {"LlamaForCausalLM", "llama", Bias::kConfig, true},
    {"MistralForCausalLM", "mistral", Bias::kNo, false, Windows::kAll, 4096},
    {"Qwen2ForCausalLM", "qwen2", Bias::kQkv, false, Windows::kIfAsked, 4096},
    {"Qwen3ForCausalLM", "qwen3", Bias::kConfig, false, Windows::kIfAsked, 4096, N::kBefore, H::kHead, false,
     false, false, 1e-6, 10000.0, 128},
    {"Gemma2ForCausalLM", "gemma2", Bias::kConfig, false, Windows::kAlternate, 4096, N::kBoth, H::kNone, true,
     false, true, 1e-6, 10000.0, 256, false, ExpertNames::kMlp, 50.0, 30.0},
    {"Gemma3ForCausalLM", "gemma3_text", Bias::kConfig, false, Windows::kPattern, 4096, N::kBoth, H::kHead,
     true, false, true, 1e-6, 1000000.0, 256},
    {"Phi3ForCausalLM", "phi3", Bias::kNo, false, Windows::kAll, 0, N::kBefore, H::kNone, false, true, false,
     1e-5},
    {"Olmo2ForCausalLM", "olmo2", Bias::kConfig, false, Windows::kNone, 0, N::kAfter, H::kWhole, false, false,
     false, 1e-5},
    {"SmolLM3ForCausalLM", "smollm3", Bias::kConfig, true, Windows::kNope, 0, N::kBefore, H::kNone, false,
     false, true, 1e-6, 2000000.0},
    {"Qwen3MoeForCausalLM", "qwen3_moe", Bias::kConfig, false, Windows::kAllIfAsked, 4096, N::kBefore,
     H::kHead, false, false, false, 1e-6, 10000.0, 0, true, ExpertNames::kMlp},
    {"MixtralForCausalLM", "mixtral", Bias::kNo, false, Windows::kAll, 0, N::kBefore, H::kNone, false, false,
     false, 1e-5, 1000000.0, 0, true, ExpertNames::kSparseMoe},
};

std::string join(const std::vector<std::string>& items, const std::string& separator) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

std::vector<int32_t> token_ids(const Json& json, const std::string& key, const std::string& where) {
  if (!json.contains(key) || json[key].is_null()) return {};
  if (json[key].is_array()) return require<std::vector<int32_t>>(json, key, where);
  return {require<int32_t>(json, key, where)};
}

const Architecture& find_architecture(const Json& json, const std::string& where) {
  const auto names = value_or<std::vector<std::string>>(json, "architectures", {}, where);
  const auto type = value_or<std::string>(json, "model_type", "", where);
  auto row = std::find_if(std::begin(kArchitectures), std::end(kArchitectures), [&](const Architecture& a) {
    return names.empty() ? type == a.model_type : names[0] == a.name;
  });
  if (row == std::end(kArchitectures))
    fail_input(where, "unknown architecture '" + (names.empty() ? type : names[0]) + "'",
               "known: " + join(known_architectures(), ", "));
  if (!type.empty() && type != row->model_type)
    fail_input(where,
               "'architectures' says " + std::string(row->name) + ", but 'model_type' is '" + type + "'");
  return *row;
}

// Gemma 3 with images: its text part, as the folder of a text model would have it. What its class takes for
// granted is left out of published files.
bool is_nested(const Json& json) {
  const Json names = json.value("architectures", Json());
  const bool named = names.is_array() && !names.empty();
  return named ? names[0] == "Gemma3ForConditionalGeneration" : json.value("model_type", Json()) == "gemma3";
}

Json text_part(const Json& json, const std::string& where) {
  if (!json.contains("text_config") || !json["text_config"].is_object())
    fail_field(json, "text_config", where);
  Json text = {{"num_attention_heads", 8},
               {"num_key_value_heads", 4},
               {"vocab_size", 262208},
               {"max_position_embeddings", 131072}};
  text.update(json["text_config"]);
  for (const char* key : {"tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id",
                          "torch_dtype", "dtype", "transformers_version", "quantization_config"})
    if (json.contains(key)) text[key] = json[key];
  text["architectures"] = {"Gemma3ForCausalLM"};
  text["model_type"] = "gemma3_text";
  return text;
}

// Far beyond every model there is: each layer and expert takes memory before its weights are looked for.
constexpr int64_t kMostLayers = 1000, kMostExperts = 1000;

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
  const bool mixtral = row.expert_names == ExpertNames::kSparseMoe;
  config.num_experts = reader.positive(
      mixtral || reader.has("num_local_experts") ? "num_local_experts" : "num_experts", 0, kMostExperts);
  config.experts_per_token = reader.positive("num_experts_per_tok");
  config.expert_size = mixtral ? config.intermediate_size : reader.positive("moe_intermediate_size");
  config.normalize_experts = mixtral || reader.get("norm_topk_prob", false);
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
      case Windows::kIfAsked:
        slides = asked && (type.empty() ? i >= first_window : type == "sliding_attention");
        break;
      case Windows::kNope:
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
    if (row.windows == Windows::kPattern && slides) layer.rope = 1;
  }
}

// Layer by layer: what its attention sees, how positions are encoded, whether it has experts.
void read_layers(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  config.layers.assign(static_cast<size_t>(config.num_hidden_layers), LayerConfig());
  const auto rotated = reader.get<std::vector<int64_t>>("no_rope_layers", {});  // 0 where not
  const auto interval = reader.positive("no_rope_layer_interval", 4);
  const auto dense = reader.get<std::vector<int64_t>>("mlp_only_layers", {});
  const auto step = reader.positive("decoder_sparse_step", 1);
  const bool nope = row.windows == Windows::kNope;
  if (nope && reader.has("no_rope_layers") && rotated.size() < config.layers.size())
    reader.problems.push_back("'no_rope_layers' has fewer entries than there are layers");
  if (!reader.problems.empty()) return;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    if (nope && (rotated.empty() ? (i + 1) % interval == 0 : rotated[static_cast<size_t>(i)] == 0))
      layer.rope = -1;
    layer.experts =
        row.experts && (row.expert_names == ExpertNames::kSparseMoe ||
                        (std::find(dense.begin(), dense.end(), i) == dense.end() && (i + 1) % step == 0));
  }
  read_windows(reader, row, config);
}

void read_activation(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  const std::string key = row.gemma ? "hidden_activation" : "hidden_act";
  const auto name = reader.get<std::string>(key, row.gemma ? "gelu_pytorch_tanh" : "silu");
  if (name == "silu" || name == "swish") {
    config.activation = Activation::kSilu;
  } else if (name == "gelu_pytorch_tanh" || name == "gelu_new") {
    config.activation = Activation::kGeluTanh;
  } else {
    reader.problems.push_back("'" + key + "': '" + name +
                              "' is not supported, only silu and gelu_pytorch_tanh");
  }
}

void read_softcaps(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  // Transformers' Gemma 3 has the attention's cap in its config, but does not use it.
  if (row.attention_softcap > 0)
    config.attention_softcap = reader.get_or_null("attn_logit_softcapping", row.attention_softcap, 0.0);
  else
    reader.unsupported("attn_logit_softcapping", nullptr);
  if (row.gemma)
    config.final_softcap = reader.get_or_null("final_logit_softcapping", row.final_softcap, 0.0);
  else
    reader.unsupported("final_logit_softcapping", nullptr);
  if (config.attention_softcap < 0 || config.final_softcap < 0)
    reader.problems.push_back(
        "'attn_logit_softcapping', 'final_logit_softcapping': expected positive numbers");
}

void read_attention(ConfigReader& reader, const Architecture& row, ModelConfig& config) {
  const bool asked = reader.get("attention_bias", false);
  if (asked && row.attention_bias == Bias::kNo)
    reader.problems.push_back(std::string("'attention_bias': true is not supported for ") + row.name);
  config.qkv_bias = row.attention_bias == Bias::kQkv || asked;
  config.o_bias = row.attention_bias == Bias::kConfig && asked;
  config.mlp_bias = reader.get("mlp_bias", false);
  if (config.mlp_bias && !row.mlp_bias)
    reader.problems.push_back(std::string("'mlp_bias': true is not supported for ") + row.name);
  double scaled_by = static_cast<double>(config.head_dim);
  if (row.gemma) scaled_by = reader.get("query_pre_attn_scalar", 256.0);
  if (row.gemma && !(scaled_by > 0))
    reader.problems.push_back("'query_pre_attn_scalar': expected a positive number");
  config.attention_scale = 1.0 / std::sqrt(scaled_by);
  read_softcaps(reader, row, config);
  if (reader.get("use_bidirectional_attention", false))
    reader.problems.push_back("'use_bidirectional_attention': true is not supported");
  const double partial = config.rope.partial;
  if (!(partial > 0 && partial <= 1))
    reader.problems.push_back("'partial_rotary_factor': expected a number above 0 and up to 1");
  else if (partial != 1 && !row.fused)
    reader.problems.push_back(std::string("'partial_rotary_factor' below 1 is not supported for ") +
                              row.name);
  else if (static_cast<int64_t>(static_cast<double>(config.head_dim) * partial) % 2 != 0)
    reader.problems.push_back("'head_dim' is odd; rotary embeddings need pairs");
}
}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const auto& row : kArchitectures) names.emplace_back(row.name);
  return names;
}

int64_t ModelConfig::rotary_dim() const {
  return static_cast<int64_t>(static_cast<double>(head_dim) * rope.partial) / 2 * 2;
}

ModelConfig parse_config(const Json& file, const std::string& where) {
  if (!file.is_object()) fail_input(where, "expected an object, found " + describe(file));
  const bool nested = is_nested(file);
  const Json json = nested ? text_part(file, where) : file;
  const Architecture& row = find_architecture(json, where);
  ConfigReader reader{json, where};
  ModelConfig config;
  config.json = json;
  config.nested = nested;
  config.architecture = row.name;
  config.model_type = row.model_type;
  config.norm_placement = row.norm_placement;
  config.head_norm = row.head_norm;
  config.norm_offset = row.gemma;
  config.fused_qkv = config.fused_gate_up = row.fused;
  read_sizes(reader, row, config);
  read_experts(reader, row, config);
  const bool two_ropes = row.windows == Windows::kPattern;
  if (config.head_dim > 0) read_rope(reader, {row.rope_theta, row.fused ? 4096 : 0, two_ropes}, &config);
  read_layers(reader, row, config);
  read_activation(reader, row, config);
  read_attention(reader, row, config);
  config.rms_norm_eps = reader.get("rms_norm_eps", row.rms_norm_eps);
  config.tie_word_embeddings = reader.get("tie_word_embeddings", row.tied);
  if (row.gemma) config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  if (reader.has("quantization_config"))
    reader.problems.push_back(
        "'quantization_config': quantised weights are not supported; use the f32, f16 or bf16 folder");
  config.eos_token_ids = token_ids(json, "eos_token_id", where);
  if (!reader.problems.empty()) fail_input(where, join(reader.problems, "; "));
  return config;
}

ModelConfig read_config(const fs::path& model_dir) {
  if (!fs::is_directory(model_dir))
    fail_input(model_dir.string(), "no such model folder",
               "expected a folder with config.json and *.safetensors");
  const fs::path path = model_dir / "config.json";
  if (!fs::exists(path))
    fail_input(path.string(), "is missing", "is " + model_dir.string() + " a model folder?");
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
