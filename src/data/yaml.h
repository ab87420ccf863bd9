// YAML as JSON.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace sdft {

// The document, with plain scalars as PyYAML reads them: true, yes and on are booleans, 3 and 0.5 numbers, ~
// is null; quoted ones stay texts. `!function a.b` becomes {"!function": "a.b"}. Throws Error(kInput) naming
// `where` and the line on a syntax error, another tag, a key that stands twice or is no text, and on aliases
// that multiply beyond 100,000 values.
Json parse_yaml_as_json(const std::string& text, const std::string& where);
inline constexpr const char* kFunctionTag = "!function";

}  // namespace sdft
