// Weights of few bits, as matrices that ops.h's products take where they take f16 and bf16. Products with
// MatmulPrecision::kBf16 round activations to 8 bits, a scale for as many of a row's numbers as the weights
// have one for (Dettmers et al. 2022, arXiv 2208.07339, has one a row); with kFull these stay f32. Gradients
// go through the weights' numbers. Thread-safe.
#pragma once

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/peaks.h"

namespace sdft::ops {

// A scale for each `block` of a row's numbers, which are scale * (code - middle) or, with offsets, scale *
// code
// + offset. A matrix of few bits is a tensor of shape [out, in] on the CPU without storage: ops::linear,
// product, widened and the losses know it, ATen's operations refuse it.
struct QuantisedForm {
  int bits;       // 8 or 4
  int64_t block;  // a multiple of 16, of 32 where codes have 4 bits
  bool offsets;
  at::ScalarType scales;  // f32 or f16, of these and of offsets
};
inline constexpr QuantisedForm kInt8{8, 64, false, at::kHalf}, kQ4{4, 32, true, at::kHalf};

// [out, in] f32, f16 or bf16 in few bits: without offsets by the largest of a block, with them between its
// smallest and largest. It lies in `memory` where there is one. Error(kInput) with `name` where a weight is
// not finite, or beyond what scales in f16 reach.
Tensor quantised(const Tensor& weight, const QuantisedForm& form, const std::string& name,
                 TensorMemory* memory = nullptr);
// The same of codes that are there: give(row, codes [in], scales [blocks], offsets [blocks]), from several
// threads at once. What it gives for f16 is a number of f16.
using GiveRow = std::function<void(int64_t row, uint8_t* codes, float* scales, float* offsets)>;
Tensor quantised(at::IntArrayRef shape, const QuantisedForm& form, const GiveRow& give,
                 TensorMemory* memory = nullptr);
// What that takes of the memory, in as many tensors.
int64_t quantised_bytes(at::IntArrayRef shape, const QuantisedForm& form);
inline constexpr int64_t kQuantisedTensors = 3;
bool is_quantised(const Tensor& x);
// Bytes that a weight takes, of any type, and where they lie.
int64_t bytes_of(const Tensor& weight);
std::vector<MemorySpan> memory_of(const Tensor& weight);

}  // namespace sdft::ops
