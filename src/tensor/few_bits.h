// What the operations share of weights of few bits (quantised.h). For src/tensor/ only.
#pragma once

#include "tensor/operations.h"
#include "tensor/quantised.h"

namespace sdft::ops {

Tensor quantised_rows(const Tensor& weight, int64_t row, int64_t count);  // [count, in] f32
Tensor quantised_to_bf16(const Tensor& weight);                           // [out, in], rounded
// The weight as gradients go through it, made once by whoever needs it several times.
inline Tensor for_gradient(const Tensor& weight) {
  return is_quantised(weight) ? quantised_to_bf16(weight) : weight;
}
// x rounded to 8 bits; x, y f32, contiguous; all weights of one form.
void add_products_quantised(const Tensor& x, const ProductTerms& terms);
bool same_form(const Tensor& a, const Tensor& b);

}  // namespace sdft::ops
