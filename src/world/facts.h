// Inside src/world: what is true in the made-up land.
#pragma once

#include <cstddef>
#include <string>

namespace sdft::world {

// Attributes: 0 river, 1 mayor, 2 food, 3 animal, 4 region, 5 color of the flag, 6 market day.
std::string town_value(size_t town, size_t attribute);

}  // namespace sdft::world
