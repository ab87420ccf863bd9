// op(A) op(B), what training's products are made of.
#include <dnnl.h>

#include "base/error.h"
#include "tensor/bf16.h"
#include "tensor/few_bits.h"

namespace sdft::ops {

Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
               MatmulPrecision precision) {
  if (is_quantised(b) && precision == MatmulPrecision::kBf16) {
    if (transpose_a || !transpose_b) return product(a, transpose_a, rounded_bf16(b), transpose_b, precision);
    return find(kProductQuantised, a)(a, b);
  }
  return find(precision == MatmulPrecision::kBf16 ? kProductBf16 : kProduct, a)(
      a, transpose_a, widened_for(a, b, precision), transpose_b, precision);
}

Tensor product_onednn(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, MatmulPrecision) {
  const int64_t m = a.size(transpose_a ? 1 : 0), k = a.size(transpose_a ? 0 : 1),
                n = b.size(transpose_b ? 0 : 1);
  Tensor c = at::empty({m, n}, a.options().requires_grad(false));
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f,
                                          in(a), a.size(1), in(b), b.size(1), 0.0f, out(c), n);
  if (status == dnnl_out_of_memory) throw memory_error();
  if (status != dnnl_success) throw Error(ExitCode::kInternal, "oneDNN sgemm failed");
  return c;
}

// The numbers of product_bf16, in another order, where no instruction multiplies bf16.
Tensor product_rounded(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
                       MatmulPrecision precision) {
  const Tensor x = widened(rounded_bf16(a)), y = widened(rounded_bf16(b));
  return product_onednn(x, transpose_a, y, transpose_b, precision);
}

Tensor product_aten(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
                    MatmulPrecision precision) {
  auto op = [](const Tensor& x, bool transpose) { return transpose ? x.t() : x; };
  if (precision == MatmulPrecision::kFull) return at::matmul(op(a, transpose_a), op(b, transpose_b));
  // On a CPU libtorch would round the result, too.
  const at::ScalarType type = a.is_cpu() ? a.scalar_type() : at::kBFloat16;
  const Tensor x = a.to(at::kBFloat16).to(type), y = b.to(at::kBFloat16).to(type);
  return at::matmul(op(x, transpose_a), op(y, transpose_b)).to(a.scalar_type());
}

}  // namespace sdft::ops
