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
void multiply(const Tensor& x, const Tensor& weight, int64_t begin, int64_t end, bool add, const Tensor& y) {
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

// Whether one pass over x does for both weights.
bool alike(const Tensor& a, const Tensor& b) {
  if (is_quantised(a) || is_quantised(b)) return is_quantised(a) && is_quantised(b) && same_form(a, b);
  return a.scalar_type() == b.scalar_type();
}

// Terms that are alike.
void add_alike(const Tensor& x, MatmulPrecision precision, const ProductTerms& terms) {
  if (is_quantised(terms[0].weight)) {
    if (precision == MatmulPrecision::kBf16) return add_products_quantised(x, terms);
    ProductTerms wide = terms;
    for (ProductTerm& term : wide) term.weight = widened(term.weight);
    return add_alike(x, precision, wide);
  }
  if (precision == MatmulPrecision::kBf16) return add_products_bf16(x, terms);
  for_columns(columns_of(terms), 32, x.size(0), x.size(1), [&](size_t i, int64_t begin, int64_t end) {
    multiply(x, terms[i].weight, begin, end, terms[i].add, terms[i].y);
  });
}

void add_products(const Tensor& x, MatmulPrecision precision, const ProductTerms& terms) {
  const bool all = std::all_of(terms.begin(), terms.end(),
                               [&](const ProductTerm& term) { return alike(terms[0].weight, term.weight); });
  if (all) return add_alike(x, precision, terms);
  for (const ProductTerm& term : terms) add_alike(x, precision, {term});
}

// y, with the bias already in it.
ProductTerm term_of(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  if (bias.defined()) y.copy_(bias.expand_as(y));
  return {in_rows(weight), bias.defined(), y};
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
  const ProductTerm term = term_of(x, weight, bias);
  add_products(x.contiguous(), precision, {term});
  return term.y;
}

Tensor linear_aten(const Tensor& x, const Tensor& weight, const Tensor& bias, MatmulPrecision precision) {
  if (precision == MatmulPrecision::kFull) return at::linear(x, widened_for(x, weight, precision), bias);
  const Tensor y = product(x, false, weight, true, precision);
  return bias.defined() ? y + bias : y;
}

// One after the other, whatever computes them.
std::vector<Tensor> linear_each_aten(const Tensor& x, const std::vector<LinearWeights>& layers,
                                     MatmulPrecision precision) {
  std::vector<Tensor> all;
  for (const LinearWeights& layer : layers) all.push_back(linear(x, layer.weight, layer.bias, precision));
  return all;
}

std::vector<Tensor> linear_each(const Tensor& x, const std::vector<LinearWeights>& layers,
                                MatmulPrecision precision) {
  return (for_inference() ? find(kLinearEach, x) : linear_each_aten)(x, layers, precision);
}

std::vector<Tensor> linear_each_kernels(const Tensor& x, const std::vector<LinearWeights>& layers,
                                        MatmulPrecision precision) {
  ProductTerms terms;
  for (const LinearWeights& layer : layers) terms.push_back(term_of(x, layer.weight, layer.bias));
  add_products(x.contiguous(), precision, terms);
  std::vector<Tensor> all;
  for (const ProductTerm& term : terms) all.push_back(term.y);
  return all;
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
  add_products(x.contiguous(), precision, {{in_rows(weight), true, y}});
  return y;
}

Tensor add_linear_aten(const Tensor& sum, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       MatmulPrecision precision) {
  return sum + linear_aten(x, weight, bias, precision);
}

}  // namespace sdft::ops
