// Weights of few bits, as matrices that ops.h's products take where they take f16 and bf16: one scale for a
// row of 8 bits, or for 32 numbers of a row. Products with MatmulPrecision::kBf16 round activations to 8
// bits, a scale for as many of a row's numbers as the weights have (W8A8 and W4A8: Dettmers et al. 2022,
// section 2; Frantar et al. 2023); with kFull these stay f32. Gradients go through the weights' numbers.
// Thread-safe.
#pragma once

#include "tensor/memory.h"
#include "tensor/ops.h"

namespace sdft::ops {

enum class WeightBits { kInt8, kQ4 };

// [out, in] f32, f16 or bf16 -> the same numbers in few bits: kInt8 symmetric, scale max |row| / 127; kQ4
// between the smallest and largest of each 32 of a row. The result is a tensor of shape [out, in] on the CPU
// without storage: ops::linear, product, widened and the losses know it, ATen's operations refuse it.
// It lies in `memory` where there is one. Error(kInput) with `name` where a weight is not finite.
Tensor quantised(const Tensor& weight, WeightBits bits, const std::string& name,
                 TensorMemory* memory = nullptr);
// What that takes of the memory, in as many tensors.
int64_t quantised_bytes(at::IntArrayRef shape, WeightBits bits);
inline constexpr int64_t kQuantisedTensors = 3;
bool is_quantised(const Tensor& x);
// Bytes that a weight takes, of any type.
int64_t bytes_of(const Tensor& weight);

}  // namespace sdft::ops
