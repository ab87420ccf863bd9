// Kernels for processors with tiles (AMX).
#include "tensor/cpu/simd.h"

#ifdef SDFT_X86_TIERS
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,avx512bf16,avx512vnni,amx-tile,amx-bf16,amx-int8")
#define SDFT_VECTOR_LANES 16
#define SDFT_TILE_ROWS 6
#define SDFT_AVX512_BF16 1
#define SDFT_AMX 1
#include "tensor/cpu/table.h"
#pragma GCC pop_options

namespace sdft::cpu {
const Kernels* avx512_bf16();

namespace {
bool processor_has_tiles() {
  constexpr unsigned kBf16 = 1u << 22, kTileUnit = 1u << 24, kInt8 = 1u << 25,
                     kAll = kBf16 | kTileUnit | kInt8;
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kAll) == kAll;
}

// Linux gives the tiles' registers to a process that asks for them (arch_prctl, ARCH_REQ_XCOMP_PERM of
// XFEATURE_XTILEDATA).
bool system_gives_tiles() { return ::syscall(SYS_arch_prctl, 0x1023, 18) == 0; }
}  // namespace

const Kernels* amx() {
  static const bool here = avx512_bf16() && processor_has_tiles() && system_gives_tiles();
  return here ? &kTable : nullptr;
}
}  // namespace sdft::cpu
#else
namespace sdft::cpu {
const Kernels* amx() { return nullptr; }
}  // namespace sdft::cpu
#endif
