// Tool data in the form that a chat template takes, or refused where it would be lost.
#pragma once

#include "base/json.h"
#include "data/prompt.h"

namespace sdft {

// Templates want a call's arguments as an object (most: `arguments | tojson`), as JSON text, or take both:
// what the record holds stays where the template writes it as JSON, else it becomes the other form. Throws
// Error(kInput) where the template leaves out calls, results or tools. `answer` may be null.
void fit_tool_data(const Formatter& formatter, const Json& tools, Json* context, Json* answer);

}  // namespace sdft
