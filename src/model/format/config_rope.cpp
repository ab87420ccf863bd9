// The rope_* settings of config.json.
#include <algorithm>
#include <cmath>

#include "model/format/config_reader.h"

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

void read_longrope(ConfigReader& reader, const Json& json, const std::string& where,
                   const ModelConfig& config, RopeConfig& rope) {
  const auto trained = static_cast<double>(rope.original_max_position);
  rope.factor =
      value_or(json, "factor", static_cast<double>(config.max_position_embeddings) / trained, where);
  const double stretched = rope.factor <= 1 ? 1.0 : std::sqrt(1 + std::log(rope.factor) / std::log(trained));
  rope.attention_factor = value_or(json, "attention_factor", stretched, where);
  const auto count = static_cast<size_t>(static_cast<double>(config.head_dim) * rope.partial) / 2;
  read_factors(json, "short_factor", where, count, &rope.short_factor, reader);
  read_factors(json, "long_factor", where, count, &rope.long_factor, reader);
}

void read_yarn(const Json& json, const std::string& where, const ModelConfig& config, RopeConfig& rope) {
  if (json.contains("factor") && json["factor"].is_null())
    rope.factor =
        static_cast<double>(config.max_position_embeddings) / static_cast<double>(rope.original_max_position);
  else
    rope.factor = require<double>(json, "factor", where);
  rope.attention_factor =
      value_or(json, "attention_factor", yarn_attention_factor(json, rope.factor, where), where);
  // Transformers takes a zero for a missing number.
  if (const double fast = value_or(json, "beta_fast", 0.0, where); fast != 0) rope.beta_fast = fast;
  if (const double slow = value_or(json, "beta_slow", 0.0, where); slow != 0) rope.beta_slow = slow;
  rope.truncate = value_or(json, "truncate", true, where);
}

// The settings of one kind: where in the file they stand, and what holds where they say nothing.
struct Settings {
  const Json& json;
  std::string where;
  double theta = 0;
  int64_t trained = 0;        // original_max_position_embeddings
  bool trained_wins = false;  // that is not for the settings to say
};

void check_numbers(ConfigReader& reader, const std::string& where, const RopeConfig& rope) {
  auto expect = [&](bool holds, const char* what) {
    if (!holds) reader.problems.push_back(where + ": " + what);
  };
  expect(rope.theta > 1 && std::isfinite(rope.theta), "'rope_theta': expected a number above 1");
  if (rope.type == "default") return;
  expect(rope.factor > 0, "'factor': expected a positive number");
  expect(rope.attention_factor > 0, "'attention_factor': expected a positive number");
  expect(rope.beta_fast > 0 && rope.beta_slow > 0, "'beta_fast', 'beta_slow': expected positive numbers");
  expect(rope.low_freq_factor > 0 && rope.low_freq_factor < rope.high_freq_factor,
         "'low_freq_factor': expected a positive number below 'high_freq_factor'");
  for (const auto* factors : {&rope.short_factor, &rope.long_factor})
    expect(std::all_of(factors->begin(), factors->end(), [](double f) { return f > 0; }),
           "'short_factor', 'long_factor': expected positive numbers");
}

RopeConfig read_one(ConfigReader& reader, const Settings& settings, const ModelConfig& config,
                    const Architecture& row) {
  const auto& [json, where, theta, trained, trained_wins] = settings;
  RopeConfig rope;
  rope.theta = value_or(json, "rope_theta", theta, where);
  rope.partial = value_or(json, "partial_rotary_factor", reader.get("partial_rotary_factor", 1.0), where);
  rope.type =
      value_or<std::string>(json, "rope_type", value_or<std::string>(json, "type", "default", where), where);
  // Its names in early Phi-3 folders.
  if (rope.type == "su" || (row.yarn_means_longrope && rope.type == "yarn")) rope.type = "longrope";
  const std::vector<std::string> known = {"default", "linear", "dynamic", "llama3", "yarn", "longrope"};
  if (std::find(known.begin(), known.end(), rope.type) == known.end()) {
    reader.problems.push_back(where + ": rope type '" + rope.type +
                              "' is not supported; known: default, linear, dynamic, llama3, yarn, longrope");
    return rope;
  }
  rope.original_max_position =
      trained_wins ? trained : value_or(json, "original_max_position_embeddings", trained, where);
  if (rope.type == "dynamic") rope.original_max_position = config.max_position_embeddings;
  if (rope.type != "default" && rope.original_max_position <= 1) {
    reader.problems.push_back(where + ": 'original_max_position_embeddings': expected a number above 1");
    return rope;
  }
  if (rope.type == "longrope") read_longrope(reader, json, where, config, rope);
  if (rope.type == "yarn") read_yarn(json, where, config, rope);
  if (rope.type == "llama3") {
    rope.low_freq_factor = require<double>(json, "low_freq_factor", where);
    rope.high_freq_factor = require<double>(json, "high_freq_factor", where);
  }
  if (rope.type == "linear" || rope.type == "dynamic" || rope.type == "llama3")
    rope.factor = require<double>(json, "factor", where);
  check_numbers(reader, where, rope);
  return rope;
}

// An object of config.json; empty where it is missing or null.
const Json& object_at(const Json& json, const std::string& key, const std::string& where) {
  static const Json none = Json::object();
  if (!json.contains(key) || json[key].is_null()) return none;
  if (!json[key].is_object())
    fail_input(where + ": " + key, "expected an object, found " + describe(json[key]));
  return json[key];
}

// Gemma 3: rope_parameters hold an object for each kind of layer, rope_scaling is of the full ones.
void read_two_kinds(ConfigReader& reader, double theta, const Architecture& row, ModelConfig* config) {
  const Json& parameters = object_at(reader.json, "rope_parameters", reader.where);
  const std::string where = reader.where + ": rope_parameters";
  if (!parameters.empty() && !parameters.contains("full_attention") &&
      !parameters.contains("sliding_attention"))
    fail_input(where, "expected settings for 'full_attention' and 'sliding_attention'");
  Json full = object_at(parameters, "full_attention", where);
  const Json& scaling = object_at(reader.json, "rope_scaling", reader.where);
  if (scaling.contains("type") && !scaling.contains("rope_type"))
    reader.problems.push_back("'rope_scaling': 'type' is not supported for " + row.name +
                              ", as Transformers 4 heeds it and 5 does not; name it 'rope_type'");
  full.update(scaling);
  const double local = reader.get("rope_local_base_freq", 10000.0);
  const int64_t trained = config->max_position_embeddings;
  config->rope = read_one(reader, {full, where + ": full_attention", theta, trained}, *config, row);
  const Json& sliding = object_at(parameters, "sliding_attention", where);
  config->local_rope =
      read_one(reader, {sliding, where + ": sliding_attention", local, trained}, *config, row);
}

}  // namespace

void read_rope(ConfigReader& reader, const Architecture& row, ModelConfig* config) {
  const double theta = reader.get("rope_theta", row.rope_theta);
  if (row.local_rope) {
    read_two_kinds(reader, theta, row, config);
  } else {
    const Json& scaling = object_at(reader.json, "rope_scaling", reader.where);
    const char* key = scaling.empty() ? "rope_parameters" : "rope_scaling";
    const Json& json = object_at(reader.json, key, reader.where);
    const std::string where = reader.where + ": " + key;
    if (json.contains("full_attention") || json.contains("sliding_attention"))
      fail_input(where, "has settings for each kind of layer, which are not supported for " + row.name);
    const bool beside = row.trained_positions > 0 || reader.has("original_max_position_embeddings");
    const int64_t otherwise =
        row.trained_positions > 0 ? row.trained_positions : config->max_position_embeddings;
    const int64_t trained = reader.get("original_max_position_embeddings", otherwise);
    config->rope = read_one(reader, {json, where, theta, trained, beside}, *config, row);
  }
  if (config->rope.type == "dynamic" && config->rope.factor > 1)  // it serves the longer context
    config->max_position_embeddings = static_cast<int64_t>(
        static_cast<double>(config->max_position_embeddings) * std::min(config->rope.factor, 1e4));
}

}  // namespace sdft
