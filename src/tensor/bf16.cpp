// Matrix products of numbers rounded to bf16, with sums in f32, by the own kernels.
#include "tensor/bf16.h"

#include "tensor/few_bits.h"
#include "tensor/tasks.h"

namespace sdft::ops {

namespace {
constexpr int64_t kBlock = 32;

// By the tier's instruction, or where multiply-adds of f32 do more, to the same bits, but for few rows, which
// wait for the weights.
const Bf16Products& products_for(int64_t rows) {
  constexpr int64_t kFewRows = 12;
  const Kernels& k = kernels();
  const bool fast = bf16_is_fast(chosen_tier()) || rows < kFewRows;
  return k.bf16.multiply && fast ? k.bf16 : k.bf16_wide;
}

using Pack = decltype(Bf16Products::pack);

// Rounded activations as the kernels read them.
Tensor pack_all(const Tensor& x, const Bf16Products& products, Pack pack) {
  const int64_t rows = x.size(0), k = x.size(1), bytes = packed_width(k) * products.number_bytes;
  const int64_t panels = (rows + kPackedRows - 1) / kPackedRows;
  Tensor packed = at::empty({panels * kPackedRows, bytes}, x.options().dtype(at::kByte));
  auto* to = packed.data_ptr<uint8_t>();
  at::parallel_for(0, panels, grain(kPackedRows * k), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kPackedRows, last = std::min(rows, end * kPackedRows);
    pack(in(x) + first * k, k, last - first, k, to + first * bytes);
  });
  return packed;
}

const uint16_t* bits(const Tensor& x) { return static_cast<const uint16_t*>(x.data_ptr()); }
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

void add_products_bf16(const Tensor& x, const ProductTerms& terms) {
  std::vector<Tensor> weights;
  for (const ProductTerm& term : terms) weights.push_back(rounded_bf16(term.weight));
  const int64_t rows = x.size(0), k = x.size(1);
  const Bf16Products& products = products_for(rows);
  const Tensor packed = pack_all(x, products, products.pack_of(rows));
  for_columns(columns_of(terms), kBlock, rows, k, [&](size_t i, int64_t begin, int64_t end) {
    products.multiply(packed.data_ptr(), rows, bits(weights[i]), k, begin, end, k, terms[i].add,
                      out(terms[i].y), weights[i].size(0));
  });
}

// a b^T by the kernels of inference, a b and a^T b by those of gradients: b [n, K] is the weight of both.
Tensor product_bf16(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, MatmulPrecision) {
  const Tensor left = transpose_a ? a.t().contiguous() : a;
  if (transpose_b) {
    Tensor c = at::empty({left.size(0), b.size(0)}, a.options().requires_grad(false));
    add_products_bf16(left, {{b, false, c}});
    return c;
  }
  const Tensor w = rounded_bf16(b);
  const int64_t rows = left.size(0), n = w.size(0), columns = w.size(1);
  Tensor c = at::empty({rows, columns}, a.options().requires_grad(false));
  const Bf16Products& products = products_for(rows);
  const Tensor packed = pack_all(left, products, products.pack_back);
  for_columns({columns}, kBlock, rows, n, [&](size_t, int64_t begin, int64_t end) {
    products.multiply_back(packed.data_ptr(), rows, bits(w), columns, n, begin, end, false, out(c), columns);
  });
  return c;
}

}  // namespace sdft::ops
