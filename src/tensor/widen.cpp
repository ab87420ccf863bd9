// Weights that stay in memory as they are stored, f16 or bf16, as the f32 numbers that are computed with.
#include "tensor/operations.h"

namespace sdft::ops {

NarrowKernels narrow_kernels(const Tensor& x) {
  const Kernels& k = kernels();
  if (x.scalar_type() == at::kHalf) return {k.linear_f16, k.widen_f16};
  if (x.scalar_type() == at::kBFloat16) return {k.linear_bf16, k.widen_bf16};
  return {nullptr, nullptr};
}

Tensor widened(const Tensor& x) {
  const auto widen = narrow_kernels(x).widen;
  if (!widen || !x.device().is_cpu() || !x.is_contiguous()) return x.to(at::kFloat);
  Tensor y = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  const auto* from = static_cast<const uint16_t*>(x.data_ptr());
  at::parallel_for(0, x.numel(), kGrain,
                   [&](int64_t begin, int64_t end) { widen(from + begin, end - begin, out(y) + begin); });
  return y;
}

}  // namespace sdft::ops
