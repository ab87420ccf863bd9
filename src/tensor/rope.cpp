// Rotary positions.
#include "tensor/operations.h"

namespace sdft::ops {

namespace {
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool inverse) {
  const int64_t rows = x.size(0), heads = x.size(1), width = x.size(2), half = width / 2;
  Tensor y = at::empty_like(x);
  at::parallel_for(0, rows, grain(heads * width), [&](int64_t begin, int64_t end) {
    kernels().rope(in(x) + begin * heads * width, in(cos) + begin * half, in(sin) + begin * half, end - begin,
                   heads, width, inverse, out(y) + begin * heads * width);
  });
  return y;
}

struct Rope : Function<Rope> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return rotate(x, cos, sin, false);
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    auto saved = ctx->get_saved_variables();
    return {rotate(dy[0].contiguous(), saved[0], saved[1], true), Tensor(), Tensor()};
  }
};
}  // namespace

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  const int64_t rotated = 2 * cos.size(1);
  if (rotated < x.size(2))
    return at::cat({rope(x.narrow(2, 0, rotated), cos, sin), x.narrow(2, rotated, x.size(2) - rotated)}, 2);
  return find(kRope, x)(x, cos, sin);
}

Tensor rope_kernels(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  const Tensor flat = x.contiguous();
  return wants_gradient({x}) ? Rope::apply(flat, cos, sin) : rotate(flat, cos, sin, false);
}

Tensor rope_aten(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  Tensor c = at::cat({cos, cos}, -1).unsqueeze(1).to(x.scalar_type());  // [N, 1, D]
  Tensor s = at::cat({sin, sin}, -1).unsqueeze(1).to(x.scalar_type());
  auto halves = x.chunk(2, -1);
  return x * c + at::cat({-halves[1], halves[0]}, -1) * s;
}

}  // namespace sdft::ops
