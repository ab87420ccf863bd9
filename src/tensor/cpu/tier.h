// Which implementations may run. A tier is what an operation can be computed by; the best that this processor
// has is chosen once, at the first use, and SDFT_ISA=NAME forbids all above NAME.
#pragma once

#include <string>
#include <vector>

namespace sdft {

// The own kernels' instruction sets, the best last; to add one: a row here and the file NAME.cpp beside it,
// which defines `const Kernels* NAME()`. A row: enumerator, NAME (that of SDFT_ISA too).
#define SDFT_KERNEL_TIERS(ROW)  \
  ROW(kBaseline, baseline)      \
  ROW(kAvx2, avx2)              \
  ROW(kAvx512, avx512)          \
  ROW(kAvx512Bf16, avx512_bf16) \
  ROW(kAmx, amx)

#define SDFT_ENUMERATOR(tier, name) tier,
enum class Tier {
  kAten,    // composed of libtorch's operations: every device and type, and the reference for the others
  kOneDnn,  // oneDNN's matrix product, which chooses an instruction set of its own (ONEDNN_MAX_CPU_ISA)
  SDFT_KERNEL_TIERS(SDFT_ENUMERATOR)
};
#undef SDFT_ENUMERATOR

struct Kernels;  // kernels.h

std::vector<Tier> all_tiers();  // the best last
const char* name_of(Tier tier);
// The tier's kernels; null where this build or this processor has none, as for kAten and kOneDnn.
const Kernels* kernels_of(Tier tier);

// The best tier that runs here and that SDFT_ISA allows. Error(kUsage) where SDFT_ISA is no tier's name, or
// one of a tier that cannot run here.
Tier chosen_tier();
// The chosen tier's kernels, the baseline's where none is chosen. Thread-safe, as all here but choose_tier().
const Kernels& kernels();
// Whether a tier's instruction for bf16 does more than multiply-adds of f32. Intel's processors do one for
// pairs in the time of four of these: for bf16 they have tiles (AMX), which not every virtual machine shows.
bool bf16_is_fast(Tier tier);
// For tests: another tier, which must run here, from now on. Not while others compute.
void choose_tier(Tier tier);

}  // namespace sdft
