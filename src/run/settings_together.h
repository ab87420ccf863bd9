// Settings that cannot go together, which no single value shows.
#pragma once

#include "base/problems.h"
#include "run/recipe.h"

namespace sdft {

// Of a recipe whose values are good by themselves, and of each of its variants.
void check_together(const Recipe& recipe, Problems& problems);

}  // namespace sdft
