// Gated activations: activation(gate) * up.
#include "tensor/operations.h"

namespace sdft::ops {

namespace {
Tensor swiglu_forward(const Tensor& gate, const Tensor& up) {
  Tensor y = at::empty_like(gate);
  at::parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
    kernels().swiglu(in(gate) + begin, in(up) + begin, end - begin, out(y) + begin);
  });
  return y;
}

struct SwiGlu : Function<SwiGlu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& gate, const Tensor& up) {
    ctx->save_for_backward({gate, up});
    return swiglu_forward(gate, up);
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    auto saved = ctx->get_saved_variables();
    Tensor g = dy[0].contiguous(), dgate = at::empty_like(g), dup = at::empty_like(g);
    at::parallel_for(0, g.numel(), kGrain, [&](int64_t begin, int64_t end) {
      kernels().swiglu_backward(in(saved[0]) + begin, in(saved[1]) + begin, in(g) + begin, end - begin,
                                out(dgate) + begin, out(dup) + begin);
    });
    return {dgate, dup};
  }
};
}  // namespace

Tensor swiglu(const Tensor& gate, const Tensor& up) { return find(kSwiglu, gate)(gate, up); }

Tensor swiglu_kernels(const Tensor& gate, const Tensor& up) {
  const Tensor g = gate.contiguous(), u = up.contiguous();
  return wants_gradient({gate, up}) ? SwiGlu::apply(g, u) : swiglu_forward(g, u);
}

Tensor swiglu_aten(const Tensor& gate, const Tensor& up) { return at::silu(gate) * up; }

Tensor geglu(const Tensor& gate, const Tensor& up) { return find(kGeglu, gate)(gate, up); }

Tensor geglu_aten(const Tensor& gate, const Tensor& up) { return at::gelu(gate, "tanh") * up; }

}  // namespace sdft::ops
