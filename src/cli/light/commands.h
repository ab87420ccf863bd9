// The commands that need no libtorch, which both programs have; each function adds the flags and what runs
// when one is chosen.
#pragma once

#include "cli/registry.h"

namespace sdft::cli {

void add_text(const Registry& registry);     // tokenize, render
void add_inspect(const Registry& registry);  // inspect
void add_convert(const Registry& registry);  // convert

}  // namespace sdft::cli
