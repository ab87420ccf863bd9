// What the operations share of products whose factors are rounded to bf16. For src/tensor/ only.
#pragma once

#include "tensor/operations.h"

namespace sdft::ops {

// The nearest numbers of bf16, ties to even; x itself where it has that type.
Tensor rounded_bf16(const Tensor& x);
// x and the weights rounded to bf16; x, y f32, contiguous.
void add_products_bf16(const Tensor& x, const ProductTerms& terms);

}  // namespace sdft::ops
