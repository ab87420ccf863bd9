// Block formats of ggml. Every product and sum is done in f32 and in ggml's order, so that results are equal
// bit by bit.
#include "model/format/gguf_quants.h"

#include <cstring>

namespace sdft {
namespace {

// Bytes within a mapped file need not be aligned.
template <typename T>
T load(const unsigned char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float with_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// IEEE 754's binary16: every one of its numbers is one of f32.
float half(const unsigned char* bytes) {
  const auto bits = load<uint16_t>(bytes);
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  if (exponent == 0) {  // zero and what is below 2^-14
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  const uint32_t wider =
      exponent == 0x1f ? 0xff : exponent + (127 - 15);  // infinity and NaN stay what they are
  return with_bits(sign | wider << 23 | fraction << 13);
}
float low(unsigned char byte) { return static_cast<float>(byte & 0xf); }
float high(unsigned char byte) { return static_cast<float>(byte >> 4); }

void decode_f32(const unsigned char* b, float* y) { *y = load<float>(b); }
void decode_f16(const unsigned char* b, float* y) { *y = half(b); }
void decode_bf16(const unsigned char* b, float* y) { *y = with_bits(uint32_t{load<uint16_t>(b)} << 16); }

// Blocks of 32: a scale, with "_1" a minimum, then the numbers.

void decode_q8_0(const unsigned char* b, float* y) {
  const float d = half(b);
  for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(static_cast<int8_t>(b[2 + i])) * d;
}

void decode_q4_0(const unsigned char* b, float* y) {
  const float d = half(b);
  for (int i = 0; i < 16; ++i) {
    y[i] = (low(b[2 + i]) - 8) * d;
    y[i + 16] = (high(b[2 + i]) - 8) * d;
  }
}

void decode_q4_1(const unsigned char* b, float* y) {
  const float d = half(b), m = half(b + 2);
  for (int i = 0; i < 16; ++i) {
    y[i] = low(b[4 + i]) * d + m;
    y[i + 16] = high(b[4 + i]) * d + m;
  }
}

// The fifth bits stand together in front of the others.
float fifth(uint32_t bits, int i) { return static_cast<float>((bits >> i & 1) << 4); }

void decode_q5_0(const unsigned char* b, float* y) {
  const float d = half(b);
  const auto bits = load<uint32_t>(b + 2);
  for (int i = 0; i < 16; ++i) {
    y[i] = (low(b[6 + i]) + fifth(bits, i) - 16) * d;
    y[i + 16] = (high(b[6 + i]) + fifth(bits, i + 16) - 16) * d;
  }
}

void decode_q5_1(const unsigned char* b, float* y) {
  const float d = half(b), m = half(b + 2);
  const auto bits = load<uint32_t>(b + 4);
  for (int i = 0; i < 16; ++i) {
    y[i] = (low(b[8 + i]) + fifth(bits, i)) * d + m;
    y[i + 16] = (high(b[8 + i]) + fifth(bits, i + 16)) * d + m;
  }
}

// Blocks of 256 ("K"): 8 or 16 groups with small scales of their own, themselves multiples of the block's.

// Group j of 8 in the twelve bytes that hold 8 scales and 8 minima of 6 bits.
struct GroupScale {
  float scale, minimum;
};
GroupScale group_scale(const unsigned char* s, int j) {
  if (j < 4) return {static_cast<float>(s[j] & 63), static_cast<float>(s[j + 4] & 63)};
  return {static_cast<float>((s[j + 4] & 0xf) | (s[j - 4] >> 6) << 4),
          static_cast<float>((s[j + 4] >> 4) | (s[j] >> 6) << 4)};
}

void decode_q2_k(const unsigned char* b, float* y) {
  const unsigned char *scales = b, *q = b + 16;
  const float d = half(b + 80), m = half(b + 82);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * low(scales[group]), minimum = m * high(scales[group]);
    const unsigned char* from = q + group / 8 * 32 + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) *y++ = scale * static_cast<float>(from[i] >> shift & 3) - minimum;
  }
}

void decode_q3_k(const unsigned char* b, float* y) {
  const unsigned char *mask = b, *q = b + 32, *scales = b + 96;
  const float d = half(b + 108);
  for (int group = 0; group < 16; ++group) {
    const int four = group < 8 ? scales[group] & 0xf : scales[group - 8] >> 4;
    const int two = scales[8 + group % 4] >> group / 4 * 2 & 3;
    const float scale = d * static_cast<float>((four | two << 4) - 32);
    const unsigned char *from = q + group / 8 * 32 + group % 2 * 16, *bit = mask + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i)
      *y++ = scale * static_cast<float>((from[i] >> shift & 3) - (bit[i] >> group / 2 & 1 ? 0 : 4));
  }
}

void decode_q4_k(const unsigned char* b, float* y) {
  const float d = half(b), m = half(b + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(b + 4, group);
    const float scale = d * s.scale, minimum = m * s.minimum;
    const unsigned char* q = b + 16 + group / 2 * 32;
    for (int i = 0; i < 32; ++i) *y++ = scale * (group % 2 ? high(q[i]) : low(q[i])) - minimum;
  }
}

void decode_q5_k(const unsigned char* b, float* y) {
  const float d = half(b), m = half(b + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(b + 4, group);
    const float scale = d * s.scale, minimum = m * s.minimum;
    const unsigned char *bit = b + 16, *q = b + 48 + group / 2 * 32;
    for (int i = 0; i < 32; ++i)
      *y++ = scale * ((group % 2 ? high(q[i]) : low(q[i])) + fifth(bit[i], group)) - minimum;
  }
}

void decode_q6_k(const unsigned char* b, float* y) {
  const unsigned char* scales = b + 192;
  const float d = half(b + 208);
  for (int group = 0; group < 8; ++group) {  // of 32, with a scale for each half
    const unsigned char *ql = b + group / 4 * 64 + group % 2 * 32, *qh = b + 128 + group / 4 * 32;
    for (int i = 0; i < 32; ++i) {
      const float scale = d * static_cast<float>(static_cast<int8_t>(scales[group * 2 + i / 16]));
      const int four = group % 4 < 2 ? ql[i] & 0xf : ql[i] >> 4, two = qh[i] >> group % 4 * 2 & 3;
      *y++ = scale * static_cast<float>((four | two << 4) - 32);
    }
  }
}

constexpr GgufType kBlockTypes[] = {
    {kGgufF32, "F32", 1, 4, decode_f32},
    {kGgufF16, "F16", 1, 2, decode_f16},
    {2, "Q4_0", 32, 18, decode_q4_0},
    {3, "Q4_1", 32, 20, decode_q4_1},
    {6, "Q5_0", 32, 22, decode_q5_0},
    {7, "Q5_1", 32, 24, decode_q5_1},
    {8, "Q8_0", 32, 34, decode_q8_0},
    {10, "Q2_K", 256, 84, decode_q2_k},
    {11, "Q3_K", 256, 110, decode_q3_k},
    {12, "Q4_K", 256, 144, decode_q4_k},
    {13, "Q5_K", 256, 176, decode_q5_k},
    {14, "Q6_K", 256, 210, decode_q6_k},
    {kGgufBf16, "BF16", 1, 2, decode_bf16},
    {9, "Q8_1", 0, 0, nullptr},
    {15, "Q8_K", 0, 0, nullptr},
    {16, "IQ2_XXS", 0, 0, nullptr},
    {17, "IQ2_XS", 0, 0, nullptr},
    {18, "IQ3_XXS", 0, 0, nullptr},
    {19, "IQ1_S", 0, 0, nullptr},
    {20, "IQ4_NL", 0, 0, nullptr},
    {21, "IQ3_S", 0, 0, nullptr},
    {22, "IQ2_S", 0, 0, nullptr},
    {23, "IQ4_XS", 0, 0, nullptr},
    {24, "I8", 0, 0, nullptr},
    {25, "I16", 0, 0, nullptr},
    {26, "I32", 0, 0, nullptr},
    {27, "I64", 0, 0, nullptr},
    {28, "F64", 0, 0, nullptr},
    {29, "IQ1_M", 0, 0, nullptr},
    {34, "TQ1_0", 0, 0, nullptr},
    {35, "TQ2_0", 0, 0, nullptr},
    {39, "MXFP4", 0, 0, nullptr},
    {40, "NVFP4", 0, 0, nullptr},
};

}  // namespace

const GgufType* find_gguf_type(uint32_t id) {
  for (const GgufType& type : kBlockTypes)
    if (type.id == id) return &type;
  return nullptr;
}

const char* readable_gguf_types() {
  return "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K";
}

}  // namespace sdft
