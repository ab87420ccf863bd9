// What the kernels' sources share. These headers are compiled once in each tier's file, for its instruction
// set: all in them is in an unnamed namespace, and what the standard library does not inline stays outside
// (scratch.h), for the linker may keep any one copy of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/scratch.h"

// Where GCC compiles one file for several instruction sets. Sanitizers see the baseline.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SDFT_X86_TIERS 1
#endif
#define SDFT_INLINE inline __attribute__((always_inline))
// For loops whose registers, as GCC chooses them, should not depend on the loops beside them (up to a fifth
// of their time). What such a function is given it takes by value: a store through a pointer could change
// what a reference leads to.
#define SDFT_ALONE __attribute__((noinline))
#define SDFT_LAMBDA_INLINE __attribute__((always_inline))

namespace sdft::cpu {
namespace {

typedef float Float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Float16 __attribute__((vector_size(64), aligned(4), may_alias));

}  // namespace
}  // namespace sdft::cpu
