// x / rms(x) * weight.
#include "tensor/operations.h"

namespace sdft::ops {

namespace {
Tensor rms_norm_forward(const Tensor& x, const Tensor& weight, double eps, Tensor* rstd) {
  const int64_t width = x.size(-1), rows = x.numel() / width;
  Tensor y = at::empty_like(x);
  if (rstd) *rstd = at::empty({rows}, x.options());
  at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
    kernels().rms_norm(in(x) + begin * width, in(weight), static_cast<float>(eps), end - begin, width,
                       out(y) + begin * width, rstd ? out(*rstd) + begin : nullptr);
  });
  return y;
}

struct RmsNorm : Function<RmsNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, double eps) {
    Tensor rstd;
    Tensor y = rms_norm_forward(x, weight, eps, &rstd);
    ctx->save_for_backward({x, weight, rstd});
    return y;
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
    Tensor g = dy[0].contiguous(), dx = at::empty_like(x);
    const int64_t width = x.size(-1), rows = x.numel() / width, chunk = 256;
    const int64_t chunks = (rows + chunk - 1) / chunk;
    const bool weight_too = ctx->needs_input_grad(1);
    // A partial sum a chunk, added in order: the result does not depend on which thread did what.
    Tensor partial = weight_too ? at::zeros({chunks, width}, x.options()) : Tensor();
    at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        const int64_t first = c * chunk, count = std::min(chunk, rows - first);
        kernels().rms_norm_backward(in(x) + first * width, in(weight), in(rstd) + first,
                                    in(g) + first * width, count, width, out(dx) + first * width,
                                    weight_too ? out(partial) + c * width : nullptr);
      }
    });
    return {dx, weight_too ? partial.sum(0) : Tensor(), Tensor()};
  }
};
}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, bool offset) {
  return find(kRmsNorm, x)(x, weight, eps, offset);
}

Tensor rms_norm_kernels(const Tensor& x, const Tensor& stored, double eps, bool offset) {
  const Tensor flat = x.contiguous(), weight = offset ? stored + 1 : stored;
  return wants_gradient({x, weight}) ? RmsNorm::apply(flat, weight, eps)
                                     : rms_norm_forward(flat, weight, eps, nullptr);
}

Tensor rms_norm_aten(const Tensor& x, const Tensor& stored, double eps, bool offset) {
  Tensor wide = x.to(at::kFloat);
  Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
  if (offset) return (scaled * (stored.to(at::kFloat) + 1)).to(x.scalar_type());
  return stored * scaled.to(x.scalar_type());
}

}  // namespace sdft::ops
