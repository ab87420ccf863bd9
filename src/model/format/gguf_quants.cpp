// Block formats of ggml. Every product and sum is done in f32 and in ggml's order, so that results are equal
// bit by bit.
#include "model/format/gguf_quants.h"

#include <cstring>

#include "base/error.h"
#include "model/format/gguf_quantise.h"

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

void decode_f32(const unsigned char* b, float* y) { *y = load<float>(b); }
void decode_f16(const unsigned char* b, float* y) { *y = half(b); }
void decode_bf16(const unsigned char* b, float* y) { *y = with_bits(uint32_t{load<uint16_t>(b)} << 16); }

uint8_t low(unsigned char byte) { return byte & 0xf; }
uint8_t high(unsigned char byte) { return byte >> 4; }
// A number of few bits around zero as a code of 8.
uint8_t centred(int number) { return static_cast<uint8_t>(number + 128); }

// Blocks of 32: a scale, with "_1" a minimum, then the numbers.

void split_q8_0(const unsigned char* b, uint8_t* codes, float* scales, float*) {
  scales[0] = half(b);
  for (int i = 0; i < 32; ++i) codes[i] = centred(static_cast<int8_t>(b[2 + i]));
}

// Two numbers a byte, the first sixteen in the lower halves.
void split_halves(const unsigned char* q, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = low(q[i]);
    codes[i + 16] = high(q[i]);
  }
}

void split_q4_0(const unsigned char* b, uint8_t* codes, float* scales, float*) {
  scales[0] = half(b);
  split_halves(b + 2, codes);
}

void split_q4_1(const unsigned char* b, uint8_t* codes, float* scales, float* offsets) {
  scales[0] = half(b);
  offsets[0] = half(b + 2);
  split_halves(b + 4, codes);
}

// The fifth bits stand together in front of the others.
uint8_t fifth(uint32_t bits, int i) { return static_cast<uint8_t>((bits >> i & 1) << 4); }

void split_fives(const unsigned char* b, uint8_t* codes) {
  const auto bits = load<uint32_t>(b);
  split_halves(b + 4, codes);
  for (int i = 0; i < 32; ++i) codes[i] |= fifth(bits, i);
}

void split_q5_0(const unsigned char* b, uint8_t* codes, float* scales, float*) {
  scales[0] = half(b);
  split_fives(b + 2, codes);
  for (int i = 0; i < 32; ++i) codes[i] = centred(codes[i] - 16);
}

void split_q5_1(const unsigned char* b, uint8_t* codes, float* scales, float* offsets) {
  scales[0] = half(b);
  offsets[0] = half(b + 2);
  split_fives(b + 4, codes);
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

void split_q2_k(const unsigned char* b, uint8_t* codes, float* scales, float* offsets) {
  const float d = half(b + 80), m = half(b + 82);
  for (int group = 0; group < 16; ++group) {
    scales[group] = d * static_cast<float>(low(b[group]));
    offsets[group] = -(m * static_cast<float>(high(b[group])));
    const unsigned char* from = b + 16 + group / 8 * 32 + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) *codes++ = from[i] >> shift & 3;
  }
}

void split_q3_k(const unsigned char* b, uint8_t* codes, float* scales, float*) {
  const unsigned char *mask = b, *q = b + 32, *small = b + 96;
  const float d = half(b + 108);
  for (int group = 0; group < 16; ++group) {
    const int four = group < 8 ? small[group] & 0xf : small[group - 8] >> 4;
    const int two = small[8 + group % 4] >> group / 4 * 2 & 3;
    scales[group] = d * static_cast<float>((four | two << 4) - 32);
    const unsigned char *from = q + group / 8 * 32 + group % 2 * 16, *bit = mask + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i)
      *codes++ = centred((from[i] >> shift & 3) - (bit[i] >> group / 2 & 1 ? 0 : 4));
  }
}

void split_q4_k(const unsigned char* b, uint8_t* codes, float* scales, float* offsets) {
  const float d = half(b), m = half(b + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(b + 4, group);
    scales[group] = d * s.scale;
    offsets[group] = -(m * s.minimum);
    const unsigned char* q = b + 16 + group / 2 * 32;
    for (int i = 0; i < 32; ++i) *codes++ = group % 2 ? high(q[i]) : low(q[i]);
  }
}

void split_q5_k(const unsigned char* b, uint8_t* codes, float* scales, float* offsets) {
  const float d = half(b), m = half(b + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale s = group_scale(b + 4, group);
    scales[group] = d * s.scale;
    offsets[group] = -(m * s.minimum);
    const unsigned char *bit = b + 16, *q = b + 48 + group / 2 * 32;
    for (int i = 0; i < 32; ++i) *codes++ = (group % 2 ? high(q[i]) : low(q[i])) | fifth(bit[i], group);
  }
}

void split_q6_k(const unsigned char* b, uint8_t* codes, float* scales, float*) {
  const float d = half(b + 208);
  for (int group = 0; group < 16; ++group)
    scales[group] = d * static_cast<float>(static_cast<int8_t>(b[192 + group]));
  for (int part = 0; part < 8; ++part) {  // of 32
    const unsigned char *ql = b + part / 4 * 64 + part % 2 * 32, *qh = b + 128 + part / 4 * 32;
    for (int i = 0; i < 32; ++i) {
      const int four = part % 4 < 2 ? ql[i] & 0xf : ql[i] >> 4, two = qh[i] >> part % 4 * 2 & 3;
      *codes++ = centred((four | two << 4) - 32);
    }
  }
}

constexpr GgufForm kNumbers = {0, 0, false};
constexpr GgufType kBlockTypes[] = {
    {kGgufF32, "F32", 1, 4, decode_f32, kNumbers, nullptr},
    {kGgufF16, "F16", 1, 2, decode_f16, kNumbers, nullptr},
    {2, "Q4_0", 32, 18, nullptr, {4, 32, false}, split_q4_0, encode_q4_0},
    {3, "Q4_1", 32, 20, nullptr, {4, 32, true}, split_q4_1},
    {6, "Q5_0", 32, 22, nullptr, {8, 32, false}, split_q5_0, encode_q5_0},
    {7, "Q5_1", 32, 24, nullptr, {8, 32, true}, split_q5_1},
    {8, "Q8_0", 32, 34, nullptr, {8, 32, false}, split_q8_0, encode_q8_0},
    {10, "Q2_K", 256, 84, nullptr, {8, 16, true}, split_q2_k},
    {11, "Q3_K", 256, 110, nullptr, {8, 16, false}, split_q3_k},
    {12, "Q4_K", 256, 144, nullptr, {4, 32, true}, split_q4_k, encode_q4_k},
    {13, "Q5_K", 256, 176, nullptr, {8, 32, true}, split_q5_k, encode_q5_k},
    {14, "Q6_K", 256, 210, nullptr, {8, 16, false}, split_q6_k, encode_q6_k},
    {kGgufBf16, "BF16", 1, 2, decode_bf16, kNumbers, nullptr},
    {9, "Q8_1", 0, 0, nullptr, kNumbers, nullptr},
    {15, "Q8_K", 0, 0, nullptr, kNumbers, nullptr},
    {16, "IQ2_XXS", 0, 0, nullptr, kNumbers, nullptr},
    {17, "IQ2_XS", 0, 0, nullptr, kNumbers, nullptr},
    {18, "IQ3_XXS", 0, 0, nullptr, kNumbers, nullptr},
    {19, "IQ1_S", 0, 0, nullptr, kNumbers, nullptr},
    {20, "IQ4_NL", 0, 0, nullptr, kNumbers, nullptr},
    {21, "IQ3_S", 0, 0, nullptr, kNumbers, nullptr},
    {22, "IQ2_S", 0, 0, nullptr, kNumbers, nullptr},
    {23, "IQ4_XS", 0, 0, nullptr, kNumbers, nullptr},
    {24, "I8", 0, 0, nullptr, kNumbers, nullptr},
    {25, "I16", 0, 0, nullptr, kNumbers, nullptr},
    {26, "I32", 0, 0, nullptr, kNumbers, nullptr},
    {27, "I64", 0, 0, nullptr, kNumbers, nullptr},
    {28, "F64", 0, 0, nullptr, kNumbers, nullptr},
    {29, "IQ1_M", 0, 0, nullptr, kNumbers, nullptr},
    {34, "TQ1_0", 0, 0, nullptr, kNumbers, nullptr},
    {35, "TQ2_0", 0, 0, nullptr, kNumbers, nullptr},
    {39, "MXFP4", 0, 0, nullptr, kNumbers, nullptr},
    {40, "NVFP4", 0, 0, nullptr, kNumbers, nullptr},
};

}  // namespace

void decode_block(const GgufType& type, const unsigned char* block, float* out) {
  if (type.decode) return type.decode(block, out);
  uint8_t codes[kGgufBlock];
  float scales[kGgufGroups], offsets[kGgufGroups];
  type.split(block, codes, scales, offsets);
  const auto group = static_cast<size_t>(type.form.group);
  for (size_t i = 0; i < type.elements; ++i)
    out[i] = type.form.offsets ? scales[i / group] * static_cast<float>(codes[i]) + offsets[i / group]
                               : scales[i / group] * static_cast<float>(codes[i] - type.form.zero());
}

const GgufType* find_gguf_type(uint32_t id) {
  for (const GgufType& type : kBlockTypes)
    if (type.id == id) return &type;
  return nullptr;
}

const GgufType& gguf_type(const char* name) {
  for (const GgufType& type : kBlockTypes)
    if (std::strcmp(type.name, name) == 0) return type;
  throw Error(ExitCode::kInternal, std::string("there is no tensor type '") + name + "'");
}

const char* readable_gguf_types() {
  return "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K";
}

}  // namespace sdft
