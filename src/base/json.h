// JSON with errors that name the place. Objects keep their order, so what is written reads as it was put
// together.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace sdft {

using Json = nlohmann::ordered_json;

// The text may come from anybody. Throws Error(kInput) naming `where` and the line and column of the fault;
// also for what the parser would take and must not: a NUL byte (the end of the text to it), numbers out of
// range, and values nested so deep that who walks or destroys them runs out of stack. Stops once
// `interrupted` is set. Value: Json, or nlohmann::json, whose objects find a key among hundreds of thousands.
template <typename Value = Json>
Value parse_json(std::string_view text, const std::string& where);
extern template Json parse_json<Json>(std::string_view text, const std::string& where);
extern template nlohmann::json parse_json<nlohmann::json>(std::string_view text, const std::string& where);
Json read_json(const std::filesystem::path& path);

// On one line. Bytes that are not UTF-8 become U+FFFD, since what is written may be anybody's text.
std::string to_line(const Json& value);
// A small file that people read, too: indented; whole or not at all.
void write_json(const std::filesystem::path& path, const Json& value);

// object[key] as T; a missing key or another type is an Error(kInput) naming where, key, and what was found.
// A whole number may be written 4096.0, but must be one and fit into T.
template <typename T>
T require(const Json& object, const std::string& key, const std::string& where);
// As above, but `fallback` where the key is missing or null.
template <typename T>
T value_or(const Json& object, const std::string& key, T fallback, const std::string& where);

// "an object", "the string \"abc\"", "null": for messages.
std::string describe(const Json& value);
[[noreturn]] void fail_field(const Json& object, const std::string& key, const std::string& where);

// False: no whole number, or one that does not fit into T.
template <typename T>
bool fits(const Json& value) {
  using Limits = std::numeric_limits<T>;
  if (value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0))
    return value.get<uint64_t>() <= static_cast<uint64_t>(Limits::max());
  if (value.is_number_integer())  // below 0
    return std::is_signed_v<T> && value.get<int64_t>() >= static_cast<int64_t>(Limits::min());
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return number == std::trunc(number) && number >= static_cast<double>(Limits::min()) &&
         number < std::ldexp(1.0, Limits::digits);
}

template <typename T>
T require(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) fail_field(object, key, where);
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    if (!fits<T>(object.at(key))) fail_field(object, key, where);
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
