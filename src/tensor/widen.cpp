// Weights that stay in memory as they are stored, f16 or bf16, as the f32 numbers that are computed with.
#include "tensor/few_bits.h"

namespace sdft::ops {

NarrowKernels narrow_kernels(const Tensor& x) {
  const Kernels& k = kernels();
  if (x.scalar_type() == at::kHalf) return {k.linear_f16, k.widen_f16};
  if (x.scalar_type() == at::kBFloat16) return {k.linear_bf16, k.widen_bf16};
  return {nullptr, nullptr};
}

Tensor widened(const Tensor& x) {
  if (is_quantised(x)) return quantised_rows(x, 0, x.size(0));
  const auto widen = narrow_kernels(x).widen;
  if (!widen || !x.device().is_cpu() || !x.is_contiguous()) return x.to(at::kFloat);
  Tensor y = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  const auto* from = static_cast<const uint16_t*>(x.data_ptr());
  at::parallel_for(0, x.numel(), kGrain,
                   [&](int64_t begin, int64_t end) { widen(from + begin, end - begin, out(y) + begin); });
  return y;
}

Tensor widened_rows(const Tensor& x, int64_t row, int64_t count) {
  return is_quantised(x) ? quantised_rows(x, row, count) : widened(x.narrow(0, row, count));
}

}  // namespace sdft::ops
