// The whole pipeline on the shipped mini seed model, offline.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/recipe.h"

namespace sdft {

// The folder with demo.yaml, mini-seed and mini-world: $SDFT_ASSETS, else next to the executable's build
// folder, else where it was built. Error(kInput) with the places where there is none.
std::filesystem::path assets_dir();
// demo.yaml of the assets with overrides; its paths made to point into the assets.
Recipe demo_recipe(const std::vector<std::string>& overrides);

}  // namespace sdft
