// Dropout whose mask is a function of key and place, on every device the same.
#include "tensor/operations.h"

namespace sdft::ops {

namespace {
Tensor drop(const Tensor& x, double p, uint64_t key) {
  Tensor flat = x.contiguous(), y = at::empty_like(flat);
  at::parallel_for(0, flat.numel(), kGrain, [&](int64_t begin, int64_t end) {
    kernels().dropout(in(flat) + begin, static_cast<float>(p), key, begin, end - begin, out(y) + begin);
  });
  return y;
}

struct Dropout : Function<Dropout> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double p, int64_t key) {
    ctx->saved_data["p"] = p;
    ctx->saved_data["key"] = key;
    return drop(x, p, static_cast<uint64_t>(key));
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    uint64_t key = static_cast<uint64_t>(ctx->saved_data["key"].toInt());
    return {drop(dy[0], ctx->saved_data["p"].toDouble(), key), Tensor(), Tensor()};
  }
};
}  // namespace

Tensor dropout(const Tensor& x, double p, uint64_t key) { return p > 0 ? find(kDropout, x)(x, p, key) : x; }

Tensor dropout_kernels(const Tensor& x, double p, uint64_t key) {
  return wants_gradient({x}) ? Dropout::apply(x, p, static_cast<int64_t>(key)) : drop(x, p, key);
}

// With the kernel's mask, made on the CPU, so that the device does not change what is dropped.
Tensor dropout_aten(const Tensor& x, double p, uint64_t key) {
  Tensor mask = drop(at::ones(x.sizes(), at::kFloat), p, key);
  return x * mask.to(x.device(), x.scalar_type());
}

}  // namespace sdft::ops
