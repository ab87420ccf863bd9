// What reading config.json shares: problems are collected, so that one run shows everything.
#pragma once

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "model/format/architectures.h"

namespace sdft {

// The library would take true for 1, cut 1.5 down to 1 and wrap whole numbers that are too large.
template <typename T>
bool is_exactly(const Json& value) {
  if constexpr (std::is_same_v<T, int64_t>)
    return value.is_number_integer() &&
           (!value.is_number_unsigned() ||
            value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  else if constexpr (std::is_same_v<T, double>)
    return value.is_number();
  else
    return true;
}

struct ConfigReader {
  const Json& json;
  const std::string& where;
  std::vector<std::string> problems = {};

  bool has(const std::string& key) const { return json.contains(key) && !json[key].is_null(); }
  template <typename T>
  T get(const std::string& key, T fallback) {
    try {
      if (has(key) && !is_exactly<T>(json[key])) fail_field(json, key, where);
      return has(key) ? require<T>(json, key, where) : fallback;
    } catch (const Error& e) {
      problems.push_back(e.what());
      return fallback;
    }
  }
  // Where null says something else than a missing key.
  template <typename T>
  T get_or_null(const std::string& key, T missing, T null) {
    return get(key, json.contains(key) ? null : missing);
  }
  // Above 0 and up to `most`; 0 where it is not.
  int64_t positive(const std::string& key, int64_t fallback = 0, int64_t most = int64_t{1} << 28) {
    const Json value = has(key) ? json[key] : Json(fallback);
    if (!has(key) && fallback <= 0) {
      problems.push_back("'" + key + "': expected a positive number, it is missing");
    } else if (!value.is_number_integer() || (!value.is_number_unsigned() && value.get<int64_t>() <= 0) ||
               value.get<uint64_t>() == 0) {
      problems.push_back("'" + key + "': expected a positive number, found " + describe(value));
    } else if (value.get<uint64_t>() > static_cast<uint64_t>(most)) {
      problems.push_back("'" + key + "': " + value.dump() + " is more than the " + std::to_string(most) +
                         " that are supported");
    } else {
      return value.get<int64_t>();
    }
    return 0;
  }
  void unsupported(const std::string& key, const Json& only) {
    if (has(key) && json[key] != only)
      problems.push_back("'" + key + "': " + describe(json[key]) + " is not supported, only " + only.dump());
  }
};

// rope_parameters (Transformers 5), rope_scaling and rope_theta; head_dim and max_position_embeddings are
// set.
void read_rope(ConfigReader& reader, const Architecture& row, ModelConfig* config);

}  // namespace sdft
