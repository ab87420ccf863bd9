// Numbers to the blocks of ggml's quantised types: the other way round of gguf_quants.h, whose table has
// these. All numbers must be finite, and no larger than f16 holds.
#pragma once

namespace sdft {

// One scale a block, from its largest number: bit by bit what ggml makes of them.
void encode_q4_0(const float* x, unsigned char* block);
void encode_q5_0(const float* x, unsigned char* block);
void encode_q8_0(const float* x, unsigned char* block);

// Scales of groups, chosen by least squares: several roundings are tried, and of each the scale (and minimum)
// with the smallest sum of squared errors is found; the best stays.
void encode_q4_k(const float* x, unsigned char* block);
void encode_q5_k(const float* x, unsigned char* block);
void encode_q6_k(const float* x, unsigned char* block);

}  // namespace sdft
