// Kernels for processors with AVX-512 (x86-64-v4).
#include "tensor/cpu/simd.h"

#ifdef SDFT_X86_TIERS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define SDFT_VECTOR_LANES 16
#define SDFT_TILE_ROWS 6
#include "tensor/cpu/table.h"
#pragma GCC pop_options

namespace sdft::cpu {
const Kernels* avx512() { return __builtin_cpu_supports("x86-64-v4") ? &kTable : nullptr; }
}  // namespace sdft::cpu
#else
namespace sdft::cpu {
const Kernels* avx512() { return nullptr; }
}  // namespace sdft::cpu
#endif
