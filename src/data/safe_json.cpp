#include "data/safe_json.h"

#include "base/error.h"

namespace sdft {
namespace {

constexpr int kDeepest = 200;  // nesting of values

// What the JSON parser would take and must not, or "". It stops at a NUL byte as if the text ended there, and
// values nested deeper than any dataset's exhaust the stack of whoever walks them.
std::string hazard_in(std::string_view json) {
  if (json.find('\0') != std::string_view::npos) return "holds a NUL byte";
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest) return "values are nested too deep";
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return "";
}

}  // namespace

Json parse_untrusted_json(std::string_view text, const std::string& where) {
  if (std::string hazard = hazard_in(text); !hazard.empty()) fail_input(where, hazard);
  try {
    return parse_json(text, where);
  } catch (const nlohmann::json::out_of_range& error) {
    fail_input(where, "not valid JSON: a number is out of range");
  }
}

}  // namespace sdft
