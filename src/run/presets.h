// Settings under one name, as a recipe's or a variant's `preset:`. What stands beside it wins.
#pragma once

#include <string>

#include "run/recipe.h"

namespace sdft {

struct Preset {
  const char *name, *help;
  Overrides settings;
};
const std::vector<Preset>& presets();
const Preset* find_preset(const std::string& name);  // null where there is none
const char* presets_help();                          // a line each

}  // namespace sdft
