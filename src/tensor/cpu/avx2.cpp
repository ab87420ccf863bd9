// Kernels for processors with AVX2 and FMA (x86-64-v3).
#include "tensor/cpu/simd.h"

#ifdef SDFT_X86_TIERS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define SDFT_VECTOR_LANES 8
#define SDFT_TILE_ROWS 3
#include "tensor/cpu/table.h"
#pragma GCC pop_options

namespace sdft::cpu {
const Kernels* avx2() { return __builtin_cpu_supports("x86-64-v3") ? &kTable : nullptr; }
}  // namespace sdft::cpu
#else
namespace sdft::cpu {
const Kernels* avx2() { return nullptr; }
}  // namespace sdft::cpu
#endif
