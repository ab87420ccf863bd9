// Kernels for processors with AVX-512 BF16 and VNNI.
#include "tensor/cpu/simd.h"

#ifdef SDFT_X86_TIERS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512bf16,avx512vnni")
#define SDFT_VECTOR_LANES 16
#define SDFT_TILE_ROWS 6
#define SDFT_AVX512_BF16 1
#include "tensor/cpu/table.h"
#pragma GCC pop_options

namespace sdft::cpu {
const Kernels* avx512_bf16() {
  const bool here = __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") &&
                    __builtin_cpu_supports("avx512vnni");
  return here ? &kTable : nullptr;
}
}  // namespace sdft::cpu
#else
namespace sdft::cpu {
const Kernels* avx512_bf16() { return nullptr; }
}  // namespace sdft::cpu
#endif
