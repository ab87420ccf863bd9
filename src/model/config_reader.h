// What reading config.json shares: problems are collected, so that one run shows everything.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "model/config.h"

namespace sdft {

struct ConfigReader {
  const Json& json;
  const std::string& where;
  std::vector<std::string> problems = {};

  bool has(const std::string& key) const { return json.contains(key) && !json[key].is_null(); }
  template <typename T>
  T get(const std::string& key, T fallback) {
    try {
      return has(key) ? require<T>(json, key, where) : fallback;
    } catch (const Error& e) {
      problems.push_back(e.what());
      return fallback;
    }
  }
  int64_t positive(const std::string& key, int64_t fallback = 0) {
    int64_t value = fallback;
    if (has(key) && !json[key].is_number_integer()) {
      problems.push_back("'" + key + "': expected a positive number, found " + describe(json[key]));
      return 0;
    }
    if (has(key)) value = json[key].get<int64_t>();
    if (value <= 0)
      problems.push_back("'" + key + "': expected a positive number" +
                         (has(key) ? ", found " + describe(json[key]) : ", it is missing"));
    return value;
  }
  void unsupported(const std::string& key, const Json& only) {
    if (has(key) && json[key] != only)
      problems.push_back("'" + key + "': " + describe(json[key]) + " is not supported, only " + only.dump());
  }
};

// rope_parameters (Transformers 5), rope_scaling and rope_theta; head_dim and max_position_embeddings are
// set.
void read_rope(ConfigReader& reader, double default_theta, ModelConfig* config);

}  // namespace sdft
