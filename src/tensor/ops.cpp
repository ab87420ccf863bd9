#include "tensor/ops.h"

#include <fmt/format.h>
#include <sched.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstdlib>
#include <future>
#include <thread>

#include "base/error.h"
#include "tensor/kernels.h"

namespace sdft {

namespace {
// Starts as many as OpenMP will beside this one, all at once.
void require_threads(int64_t count) {
  std::promise<void> enough;
  std::shared_future<void> end = enough.get_future().share();
  std::vector<std::thread> started;
  std::string fault;
  try {
    for (int64_t i = 1; i < count; ++i) started.emplace_back([end] { end.wait(); });
  } catch (const std::exception& e) {
    fault = e.what();
  }
  enough.set_value();
  for (std::thread& thread : started) thread.join();
  if (!fault.empty())
    throw Error(ExitCode::kDevice, fmt::format("cannot start {} threads: {} (lower threads)", count, fault));
}
}  // namespace

void set_num_threads(int64_t threads) {
  const char* name = "threads";
  if (const char* env = std::getenv("OMP_NUM_THREADS"); threads == 0 && env) {
    name = "OMP_NUM_THREADS";
    threads = std::strtoll(env, nullptr, 10);
  }
  if (threads < 0 || threads > kMostThreads)
    fail_usage(fmt::format("'{}': expected 0 to {}, found {}", name, kMostThreads, threads));
  cpu_set_t allowed;
  if (threads == 0 && ::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    threads = std::min<int64_t>(CPU_COUNT(&allowed), kMostThreads);
  threads = std::max<int64_t>(1, threads);
  require_threads(threads);
  at::set_num_threads(static_cast<int>(threads));
}

namespace ops {
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using Grads = torch::autograd::variable_list;

namespace {
thread_local bool bf16_products = false;

bool fast(const Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

bool wants_gradient(std::initializer_list<Tensor> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const Tensor& x : inputs)
    if (x.defined() && x.requires_grad()) return true;
  return false;
}

const float* in(const Tensor& x) { return x.data_ptr<float>(); }
float* out(Tensor& x) { return x.data_ptr<float>(); }

// About 32k numbers a task: below that a second thread costs more than it gives.
int64_t grain(int64_t width) { return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, width)); }

}  // namespace

Bf16Products::Bf16Products(bool on) : before_(bf16_products) { bf16_products = on; }
Bf16Products::~Bf16Products() { bf16_products = before_; }

Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  auto op = [](const Tensor& x, bool transpose) { return transpose ? x.t() : x; };
  if (!fast(a) || !fast(b)) return at::matmul(op(a, transpose_a), op(b, transpose_b));
  if (bf16_products) {
    Tensor x = a.to(at::kBFloat16), y = b.to(at::kBFloat16);
    return at::matmul(op(x, transpose_a), op(y, transpose_b)).to(at::kFloat);
  }
  const int64_t m = a.size(transpose_a ? 1 : 0), k = a.size(transpose_a ? 0 : 1),
                n = b.size(transpose_b ? 0 : 1);
  Tensor c = at::empty({m, n}, a.options().requires_grad(false));
  kernels::gemm(transpose_a, transpose_b, m, n, k, in(a), a.size(1), in(b), b.size(1), 0.0f, out(c), n);
  return c;
}

// --- linear
// -------------------------------------------------------------------------------------------------------

namespace {
struct Linear : Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bf16"] = bf16_products;  // the backward pass may run on a thread of its own
    return product(x, false, weight, true);
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    auto saved = ctx->get_saved_variables();
    Bf16Products guard(ctx->saved_data["bf16"].toBool());
    Tensor g = dy[0].contiguous();
    Tensor dx = ctx->needs_input_grad(0) ? product(g, false, saved[1], false) : Tensor();  // [N, in]
    Tensor dw = ctx->needs_input_grad(1) ? product(g, true, saved[0], false) : Tensor();   // [out, in]
    return {dx, dw};
  }
};

// y (+)= x weight^T without gradient, by the product whose rows do not depend on one another.
void add_product(const Tensor& x, const Tensor& weight, bool add, Tensor& y) {
  const int64_t rows = x.size(0), k = x.size(1), columns = weight.size(0), block = 32;
  const int64_t blocks = (columns + block - 1) / block;
  const int64_t least = std::max<int64_t>(1, (1 << 18) / std::max<int64_t>(1, rows * k * block));
  at::parallel_for(0, blocks, least, [&](int64_t begin, int64_t end) {
    kernels::linear(in(x), k, in(weight), k, rows, begin * block, std::min(columns, end * block), k, add,
                    out(y), columns);
  });
}
}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!fast(x) || !fast(weight)) return at::linear(x, weight, bias);
  Tensor flat = x.contiguous(), w = weight.contiguous();
  if (!at::GradMode::is_enabled() && !bf16_products) {
    Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
    if (bias.defined()) y.copy_(bias.expand_as(y));
    add_product(flat, w, bias.defined(), y);
    return y;
  }
  Tensor y = wants_gradient({x, weight}) ? Linear::apply(flat, w) : product(flat, false, w, true);
  return bias.defined() ? y + bias : y;
}

Tensor add_linear(Tensor sum, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!fast(sum) || !fast(x) || !fast(weight) || bf16_products || at::GradMode::is_enabled())
    return sum + linear(x, weight, bias);
  if (bias.defined()) sum += bias;
  add_product(x.contiguous(), weight.contiguous(), true, sum);
  return sum;
}

// --- rms_norm
// -----------------------------------------------------------------------------------------------------

namespace {
Tensor rms_norm_forward(const Tensor& x, const Tensor& weight, double eps, Tensor* rstd) {
  const int64_t width = x.size(-1), rows = x.numel() / width;
  Tensor y = at::empty_like(x);
  if (rstd) *rstd = at::empty({rows}, x.options());
  at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
    kernels::rms_norm(in(x) + begin * width, in(weight), static_cast<float>(eps), end - begin, width,
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
        kernels::rms_norm_backward(in(x) + first * width, in(weight), in(rstd) + first, in(g) + first * width,
                                   count, width, out(dx) + first * width,
                                   weight_too ? out(partial) + c * width : nullptr);
      }
    });
    return {dx, weight_too ? partial.sum(0) : Tensor(), Tensor()};
  }
};
}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& stored, double eps, bool offset) {
  if (fast(x) && fast(stored)) {
    const Tensor flat = x.contiguous(), weight = offset ? stored + 1 : stored;
    return wants_gradient({x, weight}) ? RmsNorm::apply(flat, weight, eps)
                                       : rms_norm_forward(flat, weight, eps, nullptr);
  }
  Tensor wide = x.to(at::kFloat);
  Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
  if (offset) return (scaled * (stored.to(at::kFloat) + 1)).to(x.scalar_type());
  return stored * scaled.to(x.scalar_type());
}

// --- swiglu
// -------------------------------------------------------------------------------------------------------

namespace {
Tensor swiglu_forward(const Tensor& gate, const Tensor& up) {
  Tensor y = at::empty_like(gate);
  at::parallel_for(0, gate.numel(), 32768, [&](int64_t begin, int64_t end) {
    kernels::swiglu(in(gate) + begin, in(up) + begin, end - begin, out(y) + begin);
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
    at::parallel_for(0, g.numel(), 32768, [&](int64_t begin, int64_t end) {
      kernels::swiglu_backward(in(saved[0]) + begin, in(saved[1]) + begin, in(g) + begin, end - begin,
                               out(dgate) + begin, out(dup) + begin);
    });
    return {dgate, dup};
  }
};
}  // namespace

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  if (!fast(gate)) return at::silu(gate) * up;
  Tensor g = gate.contiguous(), u = up.contiguous();
  return wants_gradient({gate, up}) ? SwiGlu::apply(g, u) : swiglu_forward(g, u);
}

Tensor geglu(const Tensor& gate, const Tensor& up) { return at::gelu(gate, "tanh") * up; }

Tensor softcap(const Tensor& x, double cap) { return cap > 0 ? at::tanh(x / cap) * cap : x; }

// --- rope
// ---------------------------------------------------------------------------------------------------------

namespace {
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool inverse) {
  const int64_t rows = x.size(0), heads = x.size(1), width = x.size(2), half = width / 2;
  Tensor y = at::empty_like(x);
  at::parallel_for(0, rows, grain(heads * width), [&](int64_t begin, int64_t end) {
    kernels::rope(in(x) + begin * heads * width, in(cos) + begin * half, in(sin) + begin * half, end - begin,
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
  if (fast(x)) {
    Tensor flat = x.contiguous();
    return wants_gradient({x}) ? Rope::apply(flat, cos, sin) : rotate(flat, cos, sin, false);
  }
  Tensor c = at::cat({cos, cos}, -1).unsqueeze(1).to(x.scalar_type());  // [N, 1, D]
  Tensor s = at::cat({sin, sin}, -1).unsqueeze(1).to(x.scalar_type());
  auto halves = x.chunk(2, -1);
  return x * c + at::cat({-halves[1], halves[0]}, -1) * s;
}

// --- dropout
// ------------------------------------------------------------------------------------------------------

namespace {
Tensor drop(const Tensor& x, double p, uint64_t key) {
  Tensor flat = x.contiguous(), y = at::empty_like(flat);
  at::parallel_for(0, flat.numel(), 32768, [&](int64_t begin, int64_t end) {
    kernels::dropout(in(flat) + begin, static_cast<float>(p), key, begin, end - begin, out(y) + begin);
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

Tensor dropout(const Tensor& x, double p, uint64_t key) {
  if (p <= 0) return x;
  if (fast(x)) return wants_gradient({x}) ? Dropout::apply(x, p, static_cast<int64_t>(key)) : drop(x, p, key);
  // The kernel's mask, made on the CPU, so that the device does not change what is dropped.
  Tensor mask = drop(at::ones(x.sizes(), at::kFloat), p, key);
  return x * mask.to(x.device(), x.scalar_type());
}

}  // namespace ops
}  // namespace sdft
