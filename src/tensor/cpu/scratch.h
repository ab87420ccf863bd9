#pragma once

#include <cstddef>

namespace sdft::cpu {

// A thread's memory for `slot` (0 to 5), of at least `count` numbers; valid until the slot is asked for more.
float* scratch(int slot, size_t count);

}  // namespace sdft::cpu
