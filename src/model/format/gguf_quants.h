// The tensor types of ggml: how many bytes they take, and what numbers the bytes mean.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sdft {

// A tensor is stored block after block, each `elements` neighbours of a row in `bytes` bytes.
struct GgufType {
  uint32_t id;
  const char* name;
  size_t elements, bytes;  // 0: a type that is known by its name only
  // One block to f32, rounded as ggml's own dequantisation rounds.
  void (*decode)(const unsigned char* block, float* out);
};

constexpr uint32_t kGgufF32 = 0, kGgufF16 = 1, kGgufBf16 = 30;

// nullptr: no such type.
const GgufType* find_gguf_type(uint32_t id);
// "F32, F16, ...": those that can be read.
const char* readable_gguf_types();

}  // namespace sdft
