// Python's literals, as ast.literal_eval reads them.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"

namespace sdft {

// Lists and tuples (arrays), dicts with text keys (objects), texts, numbers, True, False, None. Nothing where
// the text is something else.
std::optional<Json> read_python_literal(std::string_view text);

}  // namespace sdft
