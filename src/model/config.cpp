#include "model/config.h"

#include <algorithm>

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
// What differs between architectures. A new one is a new row.
struct Architecture {
  const char* name;
  const char* model_type;
};
constexpr Architecture kArchitectures[] = {
    {"LlamaForCausalLM", "llama"},
};

std::string join(const std::vector<std::string>& items, const std::string& separator) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

// Collects what is wrong, so that one run shows everything.
struct Reader {
  const Json& json;
  const std::string& where;
  std::vector<std::string> problems;

  int64_t positive(const std::string& key, int64_t fallback = 0) {
    try {
      int64_t value = value_or<int64_t>(json, key, fallback, where);
      if (value <= 0)
        problems.push_back("'" + key + "': expected a positive number" +
                           (json.contains(key) ? ", found " + describe(json[key]) : ", it is missing"));
      return value;
    } catch (const Error& e) {
      problems.push_back("'" + key + "': expected a positive number, found " + describe(json[key]));
      return 0;
    }
  }
  void unsupported(const std::string& key, const Json& only) {
    if (json.contains(key) && !json[key].is_null() && json[key] != only)
      problems.push_back("'" + key + "': " + describe(json[key]) + " is not supported, only " + only.dump());
  }
};

RopeConfig parse_rope(Reader& reader) {
  RopeConfig rope;
  const Json& json = reader.json;
  rope.theta = value_or(json, "rope_theta", 10000.0, reader.where);
  // Transformers 5 writes rope_parameters, which also holds rope_theta.
  std::string key = json.contains("rope_parameters") && json["rope_parameters"].is_object()
                        ? "rope_parameters"
                        : "rope_scaling";
  if (!json.contains(key) || json[key].is_null()) return rope;
  const Json& scaling = json[key];
  const std::string where = reader.where + ": " + key;
  if (!scaling.is_object()) fail_input(where, "expected an object, found " + describe(scaling));
  rope.theta = value_or(scaling, "rope_theta", rope.theta, where);
  rope.type = value_or<std::string>(scaling, "rope_type",
                                    value_or<std::string>(scaling, "type", "default", where), where);
  if (rope.type == "default") return rope;
  if (rope.type != "linear" && rope.type != "llama3") {
    reader.problems.push_back("'" + key + "': rope type '" + rope.type +
                              "' is not supported; known: default, linear, llama3");
    return rope;
  }
  rope.factor = require<double>(scaling, "factor", where);
  if (rope.type == "llama3") {
    rope.low_freq_factor = require<double>(scaling, "low_freq_factor", where);
    rope.high_freq_factor = require<double>(scaling, "high_freq_factor", where);
    rope.original_max_position = require<int64_t>(scaling, "original_max_position_embeddings", where);
  }
  return rope;
}

std::vector<int32_t> token_ids(const Json& json, const std::string& key, const std::string& where) {
  if (!json.contains(key) || json[key].is_null()) return {};
  if (json[key].is_array()) return require<std::vector<int32_t>>(json, key, where);
  return {require<int32_t>(json, key, where)};
}
}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const auto& row : kArchitectures) names.emplace_back(row.name);
  return names;
}

int64_t ModelConfig::parameters() const {
  const int64_t kv = num_key_value_heads * head_dim, q = num_attention_heads * head_dim;
  const int64_t layer = hidden_size * (2 * q + 2 * kv + 3 * intermediate_size + 2);
  return num_hidden_layers * layer + hidden_size + vocab_size * hidden_size * (tie_word_embeddings ? 1 : 2);
}

ModelConfig parse_config(const Json& json, const std::string& where) {
  if (!json.is_object()) fail_input(where, "expected an object, found " + describe(json));
  ModelConfig config;
  config.json = json;
  config.model_type = value_or<std::string>(json, "model_type", "", where);
  auto architectures = value_or<std::vector<std::string>>(json, "architectures", {}, where);
  config.architecture = architectures.empty() ? "" : architectures[0];
  auto row = std::find_if(std::begin(kArchitectures), std::end(kArchitectures), [&](const Architecture& a) {
    return architectures.empty() ? config.model_type == a.model_type : config.architecture == a.name;
  });
  if (row == std::end(kArchitectures))
    fail_input(
        where,
        "unknown architecture '" + (architectures.empty() ? config.model_type : config.architecture) + "'",
        "known: " + join(known_architectures(), ", "));
  config.architecture = row->name;

  Reader reader{json, where, {}};
  config.vocab_size = reader.positive("vocab_size");
  config.hidden_size = reader.positive("hidden_size");
  config.intermediate_size = reader.positive("intermediate_size");
  config.num_hidden_layers = reader.positive("num_hidden_layers");
  config.num_attention_heads = reader.positive("num_attention_heads");
  config.num_key_value_heads = reader.positive("num_key_value_heads", config.num_attention_heads);
  config.max_position_embeddings = reader.positive("max_position_embeddings", 2048);
  if (config.num_attention_heads > 0 && config.num_key_value_heads > 0) {
    config.head_dim = reader.positive("head_dim", config.hidden_size / config.num_attention_heads);
    if (config.num_attention_heads % config.num_key_value_heads != 0)
      reader.problems.push_back("'num_attention_heads' is not a multiple of 'num_key_value_heads'");
  }
  if (config.head_dim % 2 != 0) reader.problems.push_back("'head_dim' is odd; rotary embeddings need pairs");
  config.rms_norm_eps = value_or(json, "rms_norm_eps", 1e-6, where);
  config.tie_word_embeddings = value_or(json, "tie_word_embeddings", false, where);
  reader.unsupported("hidden_act", "silu");
  reader.unsupported("attention_bias", false);
  reader.unsupported("mlp_bias", false);
  if (json.contains("quantization_config") && !json["quantization_config"].is_null())
    reader.problems.push_back(
        "'quantization_config': quantised weights are not supported; use the f32, f16 or bf16 folder");
  config.rope = parse_rope(reader);
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
