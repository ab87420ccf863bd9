// Standard input as a whole.
#pragma once

#include <cstdint>
#include <string>

namespace sdft {

// To its end; a pipe may be slow, and an interrupt ends the wait. Throws Error(kInput) where it cannot be
// read or has more bytes.
std::string read_standard_input(uint64_t most_bytes);

}  // namespace sdft
