// Part of a model whose intermediate results are thrown away and made anew on the way back (Chen et al. 2016,
// arXiv 1604.06174).
#include <torch/csrc/autograd/autograd.h>
#include <torch/custom_class.h>

#include "tensor/operations.h"

namespace sdft::ops {
namespace {
struct Part : torch::CustomClassHolder {
  explicit Part(std::function<Tensor(const Tensor&)> f) : run(std::move(f)) {}
  std::function<Tensor(const Tensor&)> run;
};

// As the part sees it: a leaf, whose gradient is wanted where x's is.
Tensor leaf(const Tensor& x, bool gradient) { return x.detach().requires_grad_(gradient); }

struct Job {
  Tensor y;
  c10::intrusive_ptr<Part> part;
};

struct Recomputed : Function<Recomputed> {
  // anchor: has a gradient, so that y has one where x has none and only what the part captured is trained.
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& /*anchor*/, const Job& job) {
    ctx->save_for_backward({x});
    ctx->saved_data["part"] = c10::IValue::make_capsule(job.part);
    return job.y;
  }
  // Gradients of what the part captured go to its leaves from here.
  static Grads backward(AutogradContext* ctx, Grads dy) {
    const auto part = c10::static_intrusive_pointer_cast<Part>(ctx->saved_data["part"].toCapsule());
    at::AutoGradMode recorded(true);
    const Tensor x = leaf(ctx->get_saved_variables()[0], ctx->needs_input_grad(0));
    torch::autograd::backward({part->run(x)}, {dy[0]});
    return {x.grad(), Tensor(), Tensor()};
  }
};
}  // namespace

Tensor recomputed(const Tensor& x, const std::function<Tensor(const Tensor&)>& part) {
  if (!at::GradMode::is_enabled()) return part(x);
  // Recorded, since products with gradients have kernels of their own; the record goes with the first result.
  Tensor y = part(leaf(x, x.requires_grad()));
  if (!y.requires_grad()) return y;
  const Tensor anchor = at::zeros({1}, x.options().dtype(at::kFloat)).requires_grad_(true);
  return Recomputed::apply(x, anchor, Job{y.detach(), c10::make_intrusive<Part>(part)});
}

}  // namespace sdft::ops
