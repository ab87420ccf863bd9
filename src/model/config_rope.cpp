// The rope_* settings of config.json.
#include <algorithm>
#include <cmath>

#include "model/config_reader.h"

namespace sdft {
namespace {

void read_factors(const Json& json, const char* key, const std::string& where, size_t count,
                  std::vector<double>* factors, ConfigReader& reader) {
  *factors = require<std::vector<double>>(json, key, where);
  if (factors->size() != count)
    reader.problems.push_back(where + ": '" + key + "' has " + std::to_string(factors->size()) +
                              " numbers, expected " + std::to_string(count));
}

// yarn's correction of attention for a stretched context (its paper, eq. 22), with DeepSeek's two scales.
double yarn_attention_factor(const Json& json, double factor, const std::string& where) {
  auto correction = [&](double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0; };
  const double mscale = value_or(json, "mscale", 0.0, where),
               mscale_all = value_or(json, "mscale_all_dim", 0.0, where);
  if (mscale != 0 && mscale_all != 0) return correction(mscale) / correction(mscale_all);
  return correction(1.0);
}

RopeConfig read_one(ConfigReader& reader, const Json& json, const std::string& where, double theta,
                    const ModelConfig& config) {
  RopeConfig rope;
  rope.theta = value_or(json, "rope_theta", theta, where);
  rope.partial = value_or(json, "partial_rotary_factor", reader.get("partial_rotary_factor", 1.0), where);
  rope.type =
      value_or<std::string>(json, "rope_type", value_or<std::string>(json, "type", "default", where), where);
  if (rope.type == "su") rope.type = "longrope";  // its name in early Phi-3 folders
  const std::vector<std::string> known = {"default", "linear", "dynamic", "llama3", "yarn", "longrope"};
  if (std::find(known.begin(), known.end(), rope.type) == known.end()) {
    reader.problems.push_back(where + ": rope type '" + rope.type +
                              "' is not supported; known: default, linear, dynamic, llama3, yarn, longrope");
    return rope;
  }
  if (rope.type == "default") return rope;
  const int64_t trained =
      reader.get<int64_t>("original_max_position_embeddings", config.max_position_embeddings);
  rope.original_max_position = value_or(json, "original_max_position_embeddings", trained, where);
  if (rope.type == "longrope") {
    rope.factor = value_or(
        json, "factor",
        static_cast<double>(config.max_position_embeddings) / static_cast<double>(rope.original_max_position),
        where);
    const double stretched =
        rope.factor <= 1 ? 1.0
                         : std::sqrt(1 + std::log(rope.factor) /
                                             std::log(static_cast<double>(rope.original_max_position)));
    rope.attention_factor = value_or(json, "attention_factor", stretched, where);
    const auto count = static_cast<size_t>(static_cast<double>(config.head_dim) * rope.partial) / 2;
    read_factors(json, "short_factor", where, count, &rope.short_factor, reader);
    read_factors(json, "long_factor", where, count, &rope.long_factor, reader);
    return rope;
  }
  rope.factor = require<double>(json, "factor", where);
  if (!(rope.factor > 0)) reader.problems.push_back(where + ": 'factor': expected a positive number");
  if (rope.type == "llama3") {
    rope.low_freq_factor = require<double>(json, "low_freq_factor", where);
    rope.high_freq_factor = require<double>(json, "high_freq_factor", where);
  }
  if (rope.type == "yarn") {
    rope.attention_factor =
        value_or(json, "attention_factor", yarn_attention_factor(json, rope.factor, where), where);
    rope.beta_fast = value_or(json, "beta_fast", 32.0, where);
    rope.beta_slow = value_or(json, "beta_slow", 1.0, where);
    rope.truncate = value_or(json, "truncate", true, where);
  }
  return rope;
}

}  // namespace

void read_rope(ConfigReader& reader, double default_theta, ModelConfig* config) {
  const double theta = reader.get("rope_theta", default_theta);
  const bool new_spelling = reader.has("rope_parameters");
  const std::string key = new_spelling ? "rope_parameters" : "rope_scaling";
  const std::string where = reader.where + ": " + key;
  const Json none = Json::object();
  const Json& json = reader.has(key) ? reader.json[key] : none;
  if (!json.is_object()) fail_input(where, "expected an object, found " + describe(json));
  if (json.contains("full_attention") || json.contains("sliding_attention")) {
    auto part = [&](const char* kind, double fallback) {
      const Json& settings = json.contains(kind) ? json[kind] : none;
      if (!settings.is_object()) fail_input(where, std::string(kind) + ": expected an object");
      return read_one(reader, settings, where + ": " + kind, fallback, *config);
    };
    config->rope = part("full_attention", theta);
    config->local_rope = part("sliding_attention", 10000.0);
    return;
  }
  config->rope = read_one(reader, json, where, theta, *config);
  config->local_rope.theta = reader.get("rope_local_base_freq", 10000.0);
  if (config->rope.type == "dynamic")  // it serves the longer context
    config->max_position_embeddings =
        static_cast<int64_t>(static_cast<double>(config->max_position_embeddings) * config->rope.factor);
}

}  // namespace sdft
