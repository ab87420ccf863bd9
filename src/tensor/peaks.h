// What this machine can do at most, measured on the spot: what a share of is worth knowing.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/cpu/tier.h"

namespace sdft {

// Multiply-adds a second, in registers (PeakLoops).
struct ArithmeticPeaks {
  double f32 = 0, bf16 = 0, int8 = 0;  // bf16: 0 where the processor has no instruction for them
};
struct MachinePeaks {
  Tier tier;  // the best that the processor has, whatever SDFT_ISA says
  int64_t threads;
  ArithmeticPeaks one_thread, all_threads;
  double read_bytes;  // a second, by all threads, from memory that no cache holds
};
struct MemorySpan {
  const void* begin;
  int64_t bytes;
};
// With the threads there are; takes about a second. The best of several tries each, since what else runs on
// the machine can only slow them down. Reads `memory` where that is more than caches hold, else some of its
// own. What it reads a second can change within seconds (in one virtual machine 50 or 80 GB/s).
MachinePeaks measure_peaks(const std::vector<MemorySpan>& memory = {});

}  // namespace sdft
