// JSON from datasets: what base/json.h does, and it refuses what would bring down whoever walks the values.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace sdft {

// Throws Error(kInput) as parse_json does, also for NUL bytes, numbers out of range and values nested too
// deep.
Json parse_untrusted_json(std::string_view text, const std::string& where);

}  // namespace sdft
