// All kernels for one tier: its file sets SDFT_VECTOR_LANES (numbers in a vector register) and SDFT_TILE_ROWS
// (of a product's tile: as many as registers hold) and includes this under the compiler's target.
#pragma once

#pragma GCC diagnostic ignored "-Wpsabi"  // wide vectors never cross a function that is not inlined

#include "tensor/cpu/adamw.h"
#include "tensor/cpu/attention.h"
#include "tensor/cpu/bf16_wide.h"
#include "tensor/cpu/cross_entropy.h"
#include "tensor/cpu/dropout.h"
#include "tensor/cpu/linear.h"
#if SDFT_AMX
#include "tensor/cpu/amx.h"
#elif SDFT_AVX512_BF16
#include "tensor/cpu/bf16.h"
#include "tensor/cpu/bf16_back.h"
#endif
#include "tensor/cpu/quantised.h"
#if SDFT_AMX
#include "tensor/cpu/quantised_tiles.h"
#elif SDFT_AVX512_BF16
#include "tensor/cpu/quantised_dot.h"
#endif
#include "tensor/cpu/peaks.h"
#include "tensor/cpu/rms_norm.h"
#include "tensor/cpu/rope.h"
#include "tensor/cpu/sampling.h"
#include "tensor/cpu/swiglu.h"
#include "tensor/cpu/widen.h"

namespace sdft::cpu {
namespace {

#if SDFT_AMX
constexpr Bf16Products kBf16Products = {sizeof(uint16_t), kTurnedRows,  pack_rows_tiles,
                                        pack_back_tiles,  linear_tiles, linear_back_tiles};
#elif SDFT_AVX512_BF16
constexpr Bf16Products kBf16Products = {sizeof(uint16_t), 0,          pack_rows_dot,
                                        pack_rows_dot,    linear_dot, linear_back_dot};
#else
constexpr Bf16Products kBf16Products = {};
#endif

#if SDFT_AMX
constexpr QuantisedProducts kQuantisedProducts = {1, pack_quantised<int8_t>, quantised_tiles,
                                                  widen_quantised};
#elif SDFT_AVX512_BF16
constexpr QuantisedProducts kQuantisedProducts = {1, pack_quantised<int8_t>, quantised_dot, widen_quantised};
#else
constexpr QuantisedProducts kQuantisedProducts = {2, pack_quantised<int16_t>, quantised_pairs,
                                                  widen_quantised};
#endif

#if SDFT_AMX || SDFT_AVX512_BF16
constexpr PeakLoops kPeakLoops = {peak_f32, peak_bf16, peak_int8, read_all};
#else
constexpr PeakLoops kPeakLoops = {peak_f32, nullptr, peak_int8, read_all};
#endif

#if SDFT_AMX
constexpr Bf16Attention kBf16Attention = {attention<Bf16, TileProducts>, attention_backward<TileProducts>};
#elif SDFT_AVX512_BF16
constexpr Bf16Attention kBf16Attention = {attention<Bf16, PairProducts>, attention_backward<PairProducts>};
#else
constexpr Bf16Attention kBf16Attention = {};
#endif

constexpr Kernels kTable = {
    linear,
    linear_f16,
    linear_bf16,
    kBf16Products,
    {sizeof(float), INT64_MAX, pack_rows_wide, pack_back_wide, linear_wide, linear_back_wide},
    kQuantisedProducts,
    round_bf16,
    widen_f16,
    widen_bf16,
    rms_norm,
    rms_norm_backward,
    swiglu,
    swiglu_backward,
    rope,
    dropout,
    attention<float>,
    attention_backward<BlockProducts<float>>,
    kBf16Attention,
    {attention<Bf16>, attention_backward<BlockProducts<Bf16>>},
    cross_entropy,
    adamw,
    sum_of_squares,
    maximum,
    count_at_least,
    find_at_least,
    softmax_weights,
    sum_at_least,
    first_beyond,
    kPeakLoops,
};

}  // namespace
}  // namespace sdft::cpu
