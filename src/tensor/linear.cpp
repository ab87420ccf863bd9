// x weight^T + bias. With gradients by products that pack their operands, without by a kernel whose rows do
// not depend on one another.
#include "tensor/bf16.h"
#include "tensor/cpu/scratch.h"
#include "tensor/few_bits.h"
#include "tensor/operations.h"
#include "tensor/tasks.h"

namespace sdft::ops {

namespace {
Tensor in_rows(const Tensor& weight) { return is_quantised(weight) ? weight : weight.contiguous(); }

bool for_inference() { return !at::GradMode::is_enabled(); }

struct Linear : Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        MatmulPrecision precision) {
    ctx->save_for_backward({weight.requires_grad() ? x : Tensor(), weight});
    ctx->saved_data["precision"] = static_cast<int64_t>(precision);
    return product(x, false, weight, true, precision);
  }
  static Grads backward(AutogradContext* ctx, Grads dy) {
    auto saved = ctx->get_saved_variables();
    const auto precision = static_cast<MatmulPrecision>(ctx->saved_data["precision"].toInt());
    Tensor g = dy[0].contiguous(), dx, dw;
    if (ctx->needs_input_grad(0)) dx = product(g, false, saved[1], false, precision);  // [N, in]
    if (ctx->needs_input_grad(1)) dw = product(g, true, saved[0], false, precision);   // [out, in]
    return {dx, dw, Tensor()};
  }
};

// y (+)= x weight^T, columns [begin, end). Few rows take weights of 16 bits as they come from memory; many
// rows would widen each number several times, so it is done once for as many columns as the second-level
// cache holds.
void multiply(const Tensor& x, const Tensor& weight, int64_t begin, int64_t end, bool add, Tensor& y) {
  constexpr int64_t kFewRows = 8, kPanel = 1 << 17;
  const int64_t rows = x.size(0), k = x.size(1), columns = weight.size(0);
  const NarrowKernels narrow = narrow_kernels(weight);
  if (!narrow.linear) {
    kernels().linear(in(x), k, in(weight), k, rows, begin, end, k, add, out(y), columns);
    return;
  }
  const auto* w = static_cast<const uint16_t*>(weight.data_ptr());
  if (rows <= kFewRows) {
    narrow.linear(in(x), k, w, k, rows, begin, end, k, add, out(y), columns);
    return;
  }
  const int64_t wide = std::max<int64_t>(4, kPanel / k / 4 * 4);
  float* panel = cpu::scratch(0, static_cast<size_t>(std::min(wide, end - begin) * k));
  for (int64_t j = begin; j < end; j += wide) {
    const int64_t count = std::min(wide, end - j);
    narrow.widen(w + j * k, count * k, panel);
    kernels().linear(in(x), k, panel, k, rows, 0, count, k, add, out(y) + j, columns);
  }
}

void add_product(const Tensor& x, const Tensor& weight, MatmulPrecision precision, bool add, Tensor& y) {
  if (is_quantised(weight)) {
    if (precision == MatmulPrecision::kBf16) return add_product_quantised(x, weight, add, y);
    return add_product(x, widened(weight), precision, add, y);
  }
  if (precision == MatmulPrecision::kBf16) return add_product_bf16(x, weight, add, y);
  const int64_t columns = weight.size(0);
  for_columns(columns, 32, x.size(0), x.size(1),
              [&](int64_t begin, int64_t end) { multiply(x, weight, begin, end, add, y); });
}
}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, MatmulPrecision precision) {
  return find(for_inference() ? kLinearInference : kLinear, x)(x, weight, bias, precision);
}

Tensor linear_products(const Tensor& x, const Tensor& weight, const Tensor& bias, MatmulPrecision precision) {
  const Tensor flat = x.contiguous(), w = in_rows(weight);
  const Tensor y = wants_gradient({x, weight}) ? Linear::apply(flat, w, precision)
                                               : product(flat, false, w, true, precision);
  return bias.defined() ? y + bias : y;
}

Tensor linear_kernels(const Tensor& x, const Tensor& weight, const Tensor& bias, MatmulPrecision precision) {
  Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  if (bias.defined()) y.copy_(bias.expand_as(y));
  add_product(x.contiguous(), in_rows(weight), precision, bias.defined(), y);
  return y;
}

Tensor linear_aten(const Tensor& x, const Tensor& weight, const Tensor& bias, MatmulPrecision precision) {
  if (precision == MatmulPrecision::kFull) return at::linear(x, widened_for(x, weight, precision), bias);
  const Tensor y = product(x, false, weight, true, precision);
  return bias.defined() ? y + bias : y;
}

Tensor add_linear(const Tensor& sum, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  MatmulPrecision precision) {
  if (!for_inference()) return sum + linear(x, weight, bias, precision);
  return find(kAddLinear, sum)(sum, x, weight, bias, precision);
}

Tensor add_linear_kernels(const Tensor& sum, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          MatmulPrecision precision) {
  Tensor y = sum;  // the same memory
  if (bias.defined()) y += bias;
  add_product(x.contiguous(), in_rows(weight), precision, true, y);
  return y;
}

Tensor add_linear_aten(const Tensor& sum, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       MatmulPrecision precision) {
  return sum + linear_aten(x, weight, bias, precision);
}

}  // namespace sdft::ops
