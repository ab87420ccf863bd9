#include "base/json.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace sdft {

Json parse_json(std::string_view text, const std::string& where) {
  // The parser takes a NUL byte as the end of the text.
  if (text.find('\0') != std::string_view::npos) fail_input(where, "not valid JSON: it has a NUL byte");
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    size_t at = std::min(text.size(), e.byte > 0 ? e.byte - 1 : 0);
    size_t line = 1 + std::count(text.begin(), text.begin() + at, '\n');
    size_t column = at - (text.substr(0, at).rfind('\n') + 1) + 1;  // npos + 1 == 0
    std::string what = e.what();
    if (size_t colon = what.find(": ", what.find("parse error")); colon != std::string::npos)
      what = what.substr(colon + 2);
    fail_input(where + ":" + std::to_string(line) + ":" + std::to_string(column), "not valid JSON: " + what);
  } catch (const nlohmann::json::exception& e) {  // a number beyond all range
    fail_input(where, std::string("not valid JSON: ") + e.what());
  }
}

Json read_json(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_null()) return "null";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return std::string(value.type_name()) + " " + text;
}

void fail_field(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object())
    fail_input(where, "expected an object with field '" + key + "', found " + describe(object));
  if (!object.contains(key)) fail_input(where, "field '" + key + "' is missing");
  fail_input(where + ": field '" + key + "'", "has an unexpected type: " + describe(object.at(key)));
}

}  // namespace sdft
