// Matrix products of numbers rounded to bf16, with sums in f32, by the own kernels.
#include "tensor/bf16.h"

#include "tensor/few_bits.h"
#include "tensor/tasks.h"

namespace sdft::ops {

namespace {
constexpr int64_t kBlock = 32;

// Rounded activations as the kernels read them.
struct Packed {
  Tensor numbers;
  const uint16_t* data() const { return static_cast<const uint16_t*>(numbers.data_ptr()); }
};

using Pack = decltype(Bf16Products::pack);

Packed pack_all(const Tensor& x, Pack pack) {
  const int64_t rows = x.size(0), k = x.size(1), width = packed_width(k);
  const int64_t panels = (rows + kPackedRows - 1) / kPackedRows;
  Packed packed{at::empty({panels * kPackedRows, width}, x.options().dtype(at::kBFloat16))};
  auto* to = static_cast<uint16_t*>(packed.numbers.data_ptr());
  at::parallel_for(0, panels, grain(kPackedRows * k), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kPackedRows, last = std::min(rows, end * kPackedRows);
    pack(in(x) + first * k, k, last - first, k, to + first * width);
  });
  return packed;
}

const uint16_t* bits(const Tensor& x) { return static_cast<const uint16_t*>(x.data_ptr()); }

// Without the instruction: the same factors in f32.
Tensor rounded_f32(const Tensor& x) { return widened(rounded_bf16(x)); }
}  // namespace

Tensor rounded_bf16(const Tensor& x) {
  if (is_quantised(x)) return quantised_to_bf16(x);
  if (x.scalar_type() != at::kFloat || !x.is_cpu() || !x.is_contiguous()) return x.to(at::kBFloat16);
  Tensor y = at::empty(x.sizes(), x.options().dtype(at::kBFloat16).requires_grad(false));
  auto* to = static_cast<uint16_t*>(y.data_ptr());
  at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    kernels().round_bf16(in(x) + begin, end - begin, to + begin);
  });
  return y;
}

void add_product_bf16(const Tensor& x, const Tensor& weight, bool add, Tensor& y) {
  const Tensor w = rounded_bf16(weight);
  const int64_t rows = x.size(0), k = x.size(1), columns = w.size(0);
  const Bf16Products& products = kernels().bf16;
  const Tensor plain = products.multiply ? Tensor() : rounded_f32(x);
  const Packed packed = products.multiply ? pack_all(x, products.pack) : Packed();
  for_columns(columns, kBlock, rows, k, [&](int64_t begin, int64_t end) {
    if (products.multiply)
      products.multiply(packed.data(), rows, bits(w), k, begin, end, k, add, out(y), columns);
    else
      kernels().linear_bf16(in(plain), k, bits(w), k, rows, begin, end, k, add, out(y), columns);
  });
}

// a b^T by the kernels of inference, a b and a^T b by those of gradients: b [n, K] is the weight of both.
Tensor product_bf16(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, MatmulPrecision) {
  const Tensor left = transpose_a ? a.t().contiguous() : a;
  if (transpose_b) {
    Tensor c = at::empty({left.size(0), b.size(0)}, a.options().requires_grad(false));
    add_product_bf16(left, b, false, c);
    return c;
  }
  const Tensor w = rounded_bf16(b);
  const int64_t rows = left.size(0), n = w.size(0), columns = w.size(1);
  Tensor c = at::empty({rows, columns}, a.options().requires_grad(false));
  const Bf16Products& products = kernels().bf16;
  const Packed packed = pack_all(left, products.pack_back);
  for_columns(columns, kBlock, rows, n, [&](int64_t begin, int64_t end) {
    products.multiply_back(packed.data(), rows, bits(w), columns, n, begin, end, false, out(c), columns);
  });
  return c;
}

}  // namespace sdft::ops
