// Kernels for what the whole program is compiled for: any processor of the architecture.
#define SDFT_VECTOR_LANES 4
#define SDFT_TILE_ROWS 4
#include "tensor/cpu/table.h"

namespace sdft::cpu {
const Kernels* baseline() { return &kTable; }
}  // namespace sdft::cpu
