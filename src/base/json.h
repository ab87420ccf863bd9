// JSON with errors that name the place. Objects keep their order, so what is written reads as it was put
// together.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sdft {

using Json = nlohmann::ordered_json;

// Throws Error(kInput) naming `where` and the line and column of the fault.
Json parse_json(std::string_view text, const std::string& where);
Json read_json(const std::filesystem::path& path);

// object[key] as T; a missing key or another type is an Error(kInput) naming where, key, and what was found.
template <typename T>
T require(const Json& object, const std::string& key, const std::string& where);
// As above, but `fallback` where the key is missing or null.
template <typename T>
T value_or(const Json& object, const std::string& key, T fallback, const std::string& where);

// "an object", "the string \"abc\"", "null": for messages.
std::string describe(const Json& value);
[[noreturn]] void fail_field(const Json& object, const std::string& key, const std::string& where);

template <typename T>
T require(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) fail_field(object, key, where);
  try {
    return object.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_field(object, key, where);
  }
}

template <typename T>
T value_or(const Json& object, const std::string& key, T fallback, const std::string& where) {
  if (!object.is_object() || !object.contains(key) || object.at(key).is_null()) return fallback;
  return require<T>(object, key, where);
}

}  // namespace sdft
