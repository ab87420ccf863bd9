// The whole pipeline on the shipped mini seed model, offline.
#pragma once

#include <string>
#include <vector>

#include "run/recipe.h"

namespace sdft {

// demo.yaml of the assets with overrides; its paths made to point into the assets.
Recipe demo_recipe(const std::vector<std::string>& overrides);

}  // namespace sdft
