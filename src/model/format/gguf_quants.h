// The tensor types of ggml: how many bytes they take, and what numbers the bytes mean.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sdft {

// What the numbers of a quantised type are: scale * (code - zero), zero being the middle of the codes' bits,
// or with offsets scale * code + offset; a scale for each `group` of them.
struct GgufForm {
  int bits;  // 8 or 4, of a code; 0: the numbers themselves are stored
  int group;
  bool offsets;

  int zero() const { return offsets ? 0 : 1 << (bits - 1); }
};

// A tensor is stored block after block, each `elements` neighbours of a row in `bytes` bytes.
struct GgufType {
  uint32_t id;
  const char* name;
  size_t elements, bytes;                                  // 0: a type that is known by its name only
  void (*decode)(const unsigned char* block, float* out);  // of numbers
  // Of codes: one of each number, one scale (and offset, where there are any) of each group.
  GgufForm form;
  void (*split)(const unsigned char* block, uint8_t* codes, float* scales, float* offsets);
  // The block of `elements` finite numbers (gguf_quantise.h); null: it is not written, or they are no codes.
  void (*encode)(const float* numbers, unsigned char* block) = nullptr;
};

constexpr size_t kGgufBlock = 256, kGgufGroups = 16;  // at most

// One block to f32, rounded as ggml's own dequantisation rounds.
void decode_block(const GgufType& type, const unsigned char* block, float* out);

constexpr uint32_t kGgufF32 = 0, kGgufF16 = 1, kGgufBf16 = 30;

// nullptr: no such type.
const GgufType* find_gguf_type(uint32_t id);
const GgufType& gguf_type(const char* name);  // "Q4_K"; one that there is
// "F32, F16, ...": those that can be read.
const char* readable_gguf_types();

}  // namespace sdft
