// Losses of logits that are written with ATen operations: chunk by chunk of rows the logits of student and
// teacher are made, the loss and its gradient by autograd, and all of it thrown away.
#include <torch/csrc/autograd/autograd.h>

#include "tensor/few_bits.h"

namespace sdft::ops {
namespace {
// Rows whose logits fit about 16 MiB: a loss makes some ten tensors of that size.
int64_t chunk_rows(int64_t vocabulary) { return std::max<int64_t>(16, (int64_t{1} << 22) / vocabulary); }

struct Job {
  Head student, teacher;
  Tensor back;  // the student's weight as gradients go through it
  Tensor targets, weights, given;
  RowLoss loss;
  MatmulPrecision precision;
  bool weight_too;  // its gradient is wanted, too
};

Tensor logits_of(const Head& head, int64_t begin, int64_t count, MatmulPrecision precision) {
  if (!head.hidden.defined()) return {};
  return product(head.hidden.narrow(0, begin, count), false, head.weight, true, precision);
}

Tensor capped(const Tensor& logits, double cap) {
  return logits.defined() ? softcap(logits.to(at::kFloat), cap) : logits;
}

// The weighted sum, and with `gradient` what it changes with: dhidden [N, C], dweight [V, C].
Tensor sum_chunks(const Job& job, bool gradient, Tensor* dhidden, Tensor* dweight) {
  const Tensor &hidden = job.student.hidden, &weight = job.student.weight;
  const int64_t rows = hidden.size(0), chunk = chunk_rows(weight.size(0));
  Tensor total = at::zeros({}, hidden.options().dtype(at::kFloat));
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    Tensor logits, value, teacher;
    {
      at::NoGradGuard no_grad;
      logits = logits_of(job.student, begin, count, job.precision);  // [n, V]
      teacher = capped(logits_of(job.teacher, begin, count, job.precision), job.teacher.cap);
    }
    at::AutoGradMode recorded(gradient);
    if (gradient) logits.requires_grad_(true);
    const Tensor given = job.given.defined() ? job.given.narrow(0, begin, count) : Tensor();
    value =
        (job.loss({capped(logits, job.student.cap), teacher, job.targets.narrow(0, begin, count), given}) *
         job.weights.narrow(0, begin, count))
            .sum();
    total += value.detach();
    if (!gradient) continue;
    const Tensor delta = torch::autograd::grad({value}, {logits})[0];
    at::NoGradGuard no_grad;
    dhidden->narrow(0, begin, count).copy_(product(delta, false, job.back, false, job.precision));
    if (job.weight_too)
      *dweight += product(delta, true, hidden.narrow(0, begin, count), false, job.precision);
  }
  return total;
}

struct LinearLoss : Function<LinearLoss> {
  static Tensor forward(AutogradContext* ctx, const Tensor& hidden, const Tensor& weight, const Job& job) {
    Tensor dhidden = at::empty_like(hidden), dweight = job.weight_too ? at::zeros_like(weight) : Tensor();
    const Tensor total = sum_chunks(job, true, &dhidden, &dweight);
    ctx->save_for_backward({dhidden, dweight});
    return total;
  }
  static Grads backward(AutogradContext* ctx, Grads grads) {
    const auto saved = ctx->get_saved_variables();
    return {saved[0] * grads[0].to(saved[0].scalar_type()),
            saved[1].defined() ? saved[1] * grads[0] : Tensor(), Tensor()};
  }
};
}  // namespace

Tensor linear_loss(const Head& student, const Head& teacher, const Tensor& targets, const Tensor& weights,
                   const RowLoss& loss, MatmulPrecision precision, const Tensor& given) {
  const Tensor hidden = student.hidden.contiguous();
  // Detached, so that a loss cannot reach what made them.
  const Tensor own = widened_for(hidden, student.weight.detach(), precision);
  Head other;
  if (teacher.hidden.defined()) {
    const bool shared = teacher.weight.is_same(student.weight);
    other = {teacher.hidden.detach(), shared ? own : widened_for(hidden, teacher.weight.detach(), precision),
             teacher.cap};
  }
  const bool gradient = wants_gradient({hidden, student.weight});
  const Job job{{hidden.detach(), own, student.cap},
                other,
                gradient ? for_gradient(own) : own,
                targets,
                weights,
                given,
                loss,
                precision,
                student.weight.requires_grad()};
  if (gradient) return LinearLoss::apply(hidden, student.weight, job);
  return sum_chunks(job, false, nullptr, nullptr);
}

}  // namespace sdft::ops
