// A struct to JSON and back by one table of its fields, which serves both ways, so that they cannot drift
// apart.
//
//   SDFT_FIELDS(Setting, must("name", &Setting::name), may("value", &Setting::value))
//
// NaN and infinities are written as null, a missing field keeps its default, an unknown one is an
// Error(kInput).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "report/report.h"

namespace sdft::report {

template <typename Struct, typename Member>
struct Field {
  const char* key;
  Member Struct::*member;
  bool required;
  bool only_if_any = false;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> must(const char* key, Member Struct::*member) {
  return {key, member, true};
}
template <typename Struct, typename Member>
constexpr Field<Struct, Member> may(const char* key, Member Struct::*member) {
  return {key, member, false};
}
// What is not written where there is none: an empty text or list, a number that is missing, a count of 0.
template <typename Struct, typename Member>
constexpr Field<Struct, Member> if_any(const char* key, Member Struct::*member) {
  return {key, member, false, true};
}

template <typename Struct>
struct Fields;

#define SDFT_FIELDS(Struct, ...)                                           \
  template <>                                                              \
  struct Fields<Struct> {                                                  \
    static constexpr auto table() { return std::make_tuple(__VA_ARGS__); } \
  };

SDFT_FIELDS(Setting, must("name", &Setting::name), must("value", &Setting::value))
SDFT_FIELDS(Learning, must("variant", &Learning::variant), may("method", &Learning::method),
            may("objective", &Learning::objective), may("divergence", &Learning::divergence),
            may("settings", &Learning::settings), may("tokens", &Learning::tokens))

template <typename T>
struct is_vector : std::false_type {};
template <typename T>
struct is_vector<std::vector<T>> : std::true_type {};
template <typename T>
struct is_optional : std::false_type {};
template <typename T>
struct is_optional<std::optional<T>> : std::true_type {};
using Numbers = std::map<std::string, double>;  // an object whose keys are data

// --- Writing ---

inline bool is_empty(const Json& json) {
  if (json.is_number_integer()) return json == 0;
  return json.is_string() ? json.get<std::string>().empty() : json.empty();
}

template <typename T>
Json write(const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, Interval>) {
    if (!std::isfinite(value.low) || !std::isfinite(value.high)) return nullptr;
    return Json::array({value.low, value.high});
  } else if constexpr (std::is_same_v<T, Numbers>) {
    Json object = Json::object();
    for (const auto& [key, number] : value) object[key] = write(number);
    return object;
  } else if constexpr (is_optional<T>::value) {
    return value ? write(*value) : Json(nullptr);
  } else if constexpr (is_vector<T>::value) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(write(item));
    return array;
  } else {
    Json object = Json::object();
    auto add = [&](const auto& field) {
      Json json = write(value.*field.member);
      if (!field.only_if_any || !is_empty(json)) object[field.key] = std::move(json);
    };
    std::apply([&](const auto&... field) { (add(field), ...); }, Fields<T>::table());
    return object;
  }
}

// --- Reading ---

[[noreturn]] inline void expected(const char* what, const Json& found, const std::string& where) {
  fail_input(where, std::string("expected ") + what + ", found " + describe(found));
}

template <typename T>
void read_struct(const Json& json, const std::string& where, T& out);

// Counts, and the seed, which alone may need all 64 bits.
template <typename Integer>
void read_integer(const Json& json, const std::string& where, Integer& out) {
  bool fits = json.is_number_integer() && (json.is_number_unsigned() || json.get<int64_t>() >= 0) &&
              json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<Integer>::max());
  if (!fits) expected("a whole number that is not negative", json, where);
  out = json.get<Integer>();
}

template <typename T>
void read(const Json& json, const std::string& where, T& out) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) expected("a string", json, where);
    out = json.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) expected("true or false", json, where);
    out = json.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (json.is_null()) return;
    if (!json.is_number()) expected("a number or null", json, where);
    out = json.get<double>();
  } else if constexpr (std::is_integral_v<T>) {
    read_integer(json, where, out);
  } else if constexpr (std::is_same_v<T, Interval>) {
    if (json.is_null()) return;
    if (!json.is_array() || json.size() != 2) expected("an interval [low, high] or null", json, where);
    read(json[0], where + "[0]", out.low);
    read(json[1], where + "[1]", out.high);
  } else if constexpr (std::is_same_v<T, Numbers>) {
    if (!json.is_object()) expected("an object", json, where);
    for (const auto& item : json.items())
      read(item.value(), where + "." + item.key(), out.emplace(item.key(), kMissing).first->second);
  } else if constexpr (is_optional<T>::value) {
    if (!json.is_null()) read(json, where, out.emplace());
  } else if constexpr (is_vector<T>::value) {
    if (!json.is_array()) expected("an array", json, where);
    out.clear();
    out.reserve(json.size());
    for (const Json& item : json) {
      typename T::value_type value{};
      if constexpr (std::is_same_v<typename T::value_type, double>) value = kMissing;
      read(item, where + "[" + std::to_string(out.size()) + "]", value);
      out.push_back(std::move(value));
    }
  } else {
    read_struct(json, where, out);
  }
}

template <typename T>
void read_struct(const Json& json, const std::string& where, T& out) {
  if (!json.is_object()) expected("an object", json, where);
  std::vector<std::string> known;
  auto take = [&](const auto& field) {
    known.push_back(field.key);
    auto found = json.find(field.key);
    if (found != json.end())
      read(*found, where + "." + field.key, out.*field.member);
    else if (field.required)
      fail_input(where, std::string("field '") + field.key + "' is missing");
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, Fields<T>::table());
  for (const auto& item : json.items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    std::string guess = nearest(item.key(), known);
    fail_input(where, "unknown field '" + item.key() + "'",
               guess.empty() ? "" : "did you mean '" + guess + "'?");
  }
}

// --- A whole file, whose `format` stands first ---

template <typename T>
Json write_document(const T& document, int format) {
  Json json = {{"format", format}};
  json.update(write(document));
  return json;
}

template <typename T>
T read_document(const Json& json, const char* kind, int format, const std::string& where) {
  if (!json.is_object()) expected("an object", json, where);
  const int found = require<int>(json, "format", where);
  if (found != format)
    fail_input(where,
               std::string(kind) + " format " + std::to_string(found) + " is not the one this sdft reads (" +
                   std::to_string(format) + ")",
               "use the sdft that wrote it");
  Json rest = json;
  rest.erase("format");
  T document;
  read_struct(rest, where, document);
  return document;
}

}  // namespace sdft::report
