// Matrices of few bits: the tensor that holds one, how it is made and unmade, its products.
#include "tensor/quantised.h"

#include <ATen/OpaqueTensorImpl.h>

#include <memory>

#include "base/error.h"
#include "tensor/cpu/scratch.h"
#include "tensor/few_bits.h"
#include "tensor/tasks.h"

namespace sdft::ops {
namespace {
struct Storage {
  QuantisedMatrix matrix;
  Tensor codes, scales, offsets;
};
using Handle = std::shared_ptr<const Storage>;
using Impl = at::OpaqueTensorImpl<Handle>;

// A backend for which ATen has no operation: one that is asked for fails by name.
constexpr auto kBackend = c10::DispatchKey::PrivateUse1;

int64_t panels_of(int64_t columns) { return (columns + kQuantisedPanel - 1) / kQuantisedPanel; }
int64_t filled_up(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

// The matrix without its numbers.
QuantisedMatrix matrix_of(at::IntArrayRef shape, const QuantisedForm& form) {
  return {shape[0], filled_up(shape[1], kQuantisedDepth), form.block, form.bits, nullptr, {}, {}};
}

int64_t code_bytes(const QuantisedMatrix& w) { return panels_of(w.columns) * w.panel_bytes(); }
int64_t scale_count(const QuantisedMatrix& w) { return panels_of(w.columns) * w.blocks() * kQuantisedPanel; }

BlockNumbers block_numbers(const Tensor& x) {
  if (!x.defined()) return {};
  if (x.scalar_type() == at::kFloat) return {x.data_ptr<float>(), nullptr};
  return {nullptr, static_cast<const uint16_t*>(x.data_ptr())};
}

void put(Tensor& x, int64_t at, float value) {
  if (x.scalar_type() == at::kFloat)
    x.data_ptr<float>()[at] = value;
  else
    x.data_ptr<at::Half>()[at] = value;
}

Storage room_for(at::IntArrayRef shape, const QuantisedForm& form, TensorMemory* memory) {
  const auto zeros = [&](int64_t count, at::ScalarType type) {
    return memory ? memory->take({count}, type) : at::zeros({count}, type);
  };
  Storage s;
  s.matrix = matrix_of(shape, form);
  s.codes = zeros(code_bytes(s.matrix), at::kByte);
  s.scales = zeros(scale_count(s.matrix), form.scales);
  if (form.offsets) s.offsets = zeros(scale_count(s.matrix), form.scales);
  s.matrix.codes = s.codes.data_ptr<uint8_t>();
  s.matrix.scales = block_numbers(s.scales);
  s.matrix.offsets = block_numbers(s.offsets);
  return s;
}

// A row of W as it is given.
struct GivenRow {
  std::vector<uint8_t> codes;
  std::vector<float> scales, offsets;
};

// Four numbers of a row lie together.
void place(const GivenRow& row, int64_t column, Storage& to) {
  const QuantisedMatrix& w = to.matrix;
  const int64_t panel = column / kQuantisedPanel, place = column % kQuantisedPanel;
  uint8_t* codes = to.codes.data_ptr<uint8_t>() + panel * w.panel_bytes() + place * 4;
  const auto put_four = [&](int64_t at, const uint8_t* four) {
    std::memcpy(codes + at * kQuantisedPanel, four, 4);
  };
  const auto count = static_cast<int64_t>(row.codes.size());
  if (w.bits == 8)
    for (int64_t p = 0; p < count; p += 4) put_four(p, &row.codes[static_cast<size_t>(p)]);
  else
    for (int64_t p = 0; p < count; p += 32)
      for (int64_t i = 0; i < 16; i += 4) {
        const uint8_t* low = &row.codes[static_cast<size_t>(p + i)];
        uint8_t four[4];
        for (int j = 0; j < 4; ++j) four[j] = static_cast<uint8_t>(low[j] | low[j + 16] << 4);
        put_four(p / 2 + i, four);
      }
  for (size_t b = 0; b < row.scales.size(); ++b) {
    const int64_t at = (panel * w.blocks() + static_cast<int64_t>(b)) * kQuantisedPanel + place;
    put(to.scales, at, row.scales[b]);
    if (w.offsets.there()) put(to.offsets, at, row.offsets[b]);
  }
}

// A float's bits as a whole number of the same order, and back: whose largest compilers find with vectors.
int32_t in_order(int32_t bits) { return bits < 0 ? bits ^ INT32_MAX : bits; }

struct Range {
  float smallest, largest;
};

Range range_of(const float* x, int64_t count) {
  int32_t smallest = INT32_MAX, largest = INT32_MIN;
  for (int64_t i = 0; i < count; ++i) {
    int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    smallest = std::min(smallest, in_order(bits));
    largest = std::max(largest, in_order(bits));
  }
  Range range;
  smallest = in_order(smallest), largest = in_order(largest);
  std::memcpy(&range.smallest, &smallest, sizeof smallest);
  std::memcpy(&range.largest, &largest, sizeof largest);
  return range;  // NaNs are beyond the infinities
}

// As it is kept.
float kept(float x, at::ScalarType type) {
  return type == at::kHalf ? static_cast<float>(static_cast<at::Half>(x)) : x;
}

// Of x >= 0 not less, so that codes reach a block's largest number even where f16 has few bits left.
float kept_scale(float x, at::ScalarType type) {
  if (kept(x, type) >= x) return kept(x, type);
  at::Half next = x;
  ++next.x;
  return next;
}

// A block of numbers; false where one, its scale or offset is not finite.
bool quantise(const float* x, int64_t count, const QuantisedForm& form, uint8_t* codes, float* scale,
              float* offset) {
  const Range range = range_of(x, count);
  if (!std::isfinite(range.smallest) || !std::isfinite(range.largest)) return false;
  const int zero = form.offsets ? 0 : 1 << (form.bits - 1);
  const auto most = static_cast<float>((1 << form.bits) - 1);
  const float size = std::max(-range.smallest, range.largest);
  *offset = form.offsets ? kept(range.smallest, form.scales) : 0;
  *scale = kept_scale(
      form.offsets ? std::max(0.0f, range.largest - *offset) / most : size / static_cast<float>(zero - 1),
      form.scales);
  if (!std::isfinite(*scale) || !std::isfinite(*offset)) return false;
  const float inverse = *scale > 1e-30f ? 1 / *scale : 0;  // of what is smaller none is left
  constexpr float kNoFraction = 12582912;                  // what is added to it is rounded, ties to even
  for (int64_t i = 0; i < count; ++i) {
    const float code = ((x[i] - *offset) * inverse + kNoFraction) - kNoFraction + static_cast<float>(zero);
    codes[i] = static_cast<uint8_t>(static_cast<int32_t>(std::min(std::max(code, 0.0f), most)));
  }
  return true;
}

// Row j of a weight; in scratch memory where it is of 16 bits.
const float* row_of(const Tensor& weight, int64_t j) {
  const int64_t width = weight.size(1);
  if (weight.scalar_type() == at::kFloat) return in(weight) + j * width;
  float* row = cpu::scratch(0, static_cast<size_t>(width));
  const auto widen = weight.scalar_type() == at::kHalf ? kernels().widen_f16 : kernels().widen_bf16;
  widen(static_cast<const uint16_t*>(weight.data_ptr()) + j * width, width, row);
  return row;
}

const Storage& storage_of(const Tensor& x) {
  return *static_cast<Impl*>(x.unsafeGetTensorImpl())->opaque_handle();
}

// Activations as a matrix's products take them.
struct PackedRows {
  PackedRows(const Tensor& x, const QuantisedMatrix& w) {
    const int64_t rows = x.size(0), width = x.size(1);
    const int64_t whole = filled_up(rows, kPackedRows);
    const QuantisedProducts& products = kernels().quantised;
    numbers = at::empty({whole * w.k * products.number_bytes}, at::kByte);
    scales = at::empty({whole, w.blocks()}, at::kFloat);
    starts = at::empty({whole, w.blocks()}, at::kInt);
    sums = w.offsets.there() ? at::empty({whole, w.blocks()}, at::kFloat) : Tensor();
    view = {numbers.data_ptr(), scales.data_ptr<float>(), starts.data_ptr<int32_t>(),
            w.offsets.there() ? sums.data_ptr<float>() : nullptr};
    at::parallel_for(0, rows, grain(w.k), [&](int64_t begin, int64_t end) {
      products.pack(in(x), width, begin, end, width, w, view);
    });
  }
  Tensor numbers, scales, starts, sums;
  QuantisedRows view;
};

// use(panel's first row, rows, their numbers [rows, width]) for panels [begin, end).
template <typename Use>
void for_each_panel(const Tensor& weight, int64_t begin, int64_t end, const Use& use) {
  const QuantisedMatrix& w = storage_of(weight).matrix;
  const int64_t width = weight.size(1);
  at::parallel_for(begin, end, grain(width * kQuantisedPanel), [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) use(w, panel, width);
  });
}
}  // namespace

bool is_quantised(const Tensor& x) {
  return x.defined() && x.key_set().has(kBackend) && dynamic_cast<Impl*>(x.unsafeGetTensorImpl());
}

int64_t quantised_bytes(at::IntArrayRef shape, const QuantisedForm& form) {
  const QuantisedMatrix w = matrix_of(shape, form);
  return code_bytes(w) +
         scale_count(w) * (form.offsets ? 2 : 1) * static_cast<int64_t>(at::elementSize(form.scales));
}

Tensor quantised(at::IntArrayRef shape, const QuantisedForm& form, const GiveRow& give,
                 TensorMemory* memory) {
  auto storage = std::make_shared<Storage>(room_for(shape, form, memory));
  const int64_t columns = shape[0], blocks = (shape[1] + form.block - 1) / form.block;
  at::parallel_for(0, panels_of(columns), 1, [&](int64_t begin, int64_t end) {
    GivenRow row{std::vector<uint8_t>(static_cast<size_t>(filled_up(shape[1], kQuantisedDepth))),
                 std::vector<float>(static_cast<size_t>(blocks)),
                 std::vector<float>(static_cast<size_t>(blocks))};
    const int64_t last = std::min(columns, end * kQuantisedPanel);
    for (int64_t j = begin * kQuantisedPanel; j < last; ++j) {
      give(j, row.codes.data(), row.scales.data(), row.offsets.data());
      place(row, j, *storage);
    }
  });
  return at::detail::make_tensor<Impl>(c10::DispatchKeySet(kBackend), caffe2::TypeMeta::Make<c10::quint8>(),
                                       c10::Device(at::kCPU), Handle(storage), shape);
}

Tensor quantised(const Tensor& given, const QuantisedForm& form, const std::string& name,
                 TensorMemory* memory) {
  const Tensor weight = given.contiguous();
  const int64_t width = weight.size(1);
  std::atomic<bool> finite{true};
  const auto give = [&](int64_t j, uint8_t* codes, float* scales, float* offsets) {
    const float* row = row_of(weight, j);
    for (int64_t p = 0; p < width; p += form.block, ++scales, ++offsets)
      if (!quantise(row + p, std::min(form.block, width - p), form, codes + p, scales, offsets))
        finite = false;
  };
  const Tensor result = quantised(weight.sizes(), form, give, memory);
  if (!finite) fail_input(name, "holds numbers that are not finite, or too large for few bits");
  return result;
}

int64_t bytes_of(const Tensor& weight) {
  int64_t sum = 0;
  for (const MemorySpan& span : memory_of(weight)) sum += span.bytes;
  return sum;
}

std::vector<MemorySpan> memory_of(const Tensor& weight) {
  std::vector<Tensor> parts = {weight};
  if (is_quantised(weight)) {
    const Storage& s = storage_of(weight);
    parts = {s.codes, s.scales, s.offsets};
  }
  std::vector<MemorySpan> spans;
  for (const Tensor& part : parts)
    if (part.defined()) spans.push_back({part.data_ptr(), static_cast<int64_t>(part.nbytes())});
  return spans;
}

Tensor quantised_rows(const Tensor& weight, int64_t row, int64_t count) {
  const int64_t first = row / kQuantisedPanel, last = panels_of(row + count);
  Tensor y = at::empty({(last - first) * kQuantisedPanel, weight.size(1)}, at::kFloat);
  for_each_panel(weight, first, last, [&](const QuantisedMatrix& w, int64_t panel, int64_t width) {
    kernels().quantised.widen(w, panel, width, out(y) + (panel - first) * kQuantisedPanel * width);
  });
  return y.narrow(0, row - first * kQuantisedPanel, count);
}

Tensor quantised_to_bf16(const Tensor& weight) {
  Tensor y = at::empty(weight.sizes(), at::kBFloat16);
  auto* to = static_cast<uint16_t*>(y.data_ptr());
  for_each_panel(weight, 0, panels_of(weight.size(0)),
                 [&](const QuantisedMatrix& w, int64_t panel, int64_t width) {
                   float* numbers = cpu::scratch(0, static_cast<size_t>(kQuantisedPanel * width));
                   kernels().quantised.widen(w, panel, width, numbers);
                   const int64_t rows = std::min(kQuantisedPanel, w.columns - panel * kQuantisedPanel);
                   kernels().round_bf16(numbers, rows * width, to + panel * kQuantisedPanel * width);
                 });
  return y;
}

bool same_form(const Tensor& a, const Tensor& b) {
  const QuantisedMatrix &x = storage_of(a).matrix, &y = storage_of(b).matrix;
  return x.k == y.k && x.block == y.block && x.bits == y.bits && x.offsets.there() == y.offsets.there();
}

void add_products_quantised(const Tensor& x, const ProductTerms& terms) {
  const QuantisedMatrix& first = storage_of(terms[0].weight).matrix;
  const PackedRows rows(x, first);
  for_columns(columns_of(terms), 2 * kQuantisedPanel, x.size(0), first.k,
              [&](size_t i, int64_t begin, int64_t end) {
                const QuantisedMatrix& w = storage_of(terms[i].weight).matrix;
                kernels().quantised.multiply(w, rows.view, x.size(0), begin, end, terms[i].add,
                                             out(terms[i].y), w.columns);
              });
}

Tensor product_quantised_kernels(const Tensor& x, const Tensor& weight) {
  Tensor y = at::empty({x.size(0), weight.size(0)}, x.options().requires_grad(false));
  add_products_quantised(x.contiguous(), {{weight, false, y}});
  return y;
}

// The same factors in f32. Rounding has no slope: the gradient is that of the numbers as they were.
Tensor product_quantised_aten(const Tensor& x, const Tensor& weight) {
  const QuantisedMatrix& w = storage_of(weight).matrix;
  const int64_t rows = x.size(0), width = x.size(1), whole = w.blocks() * w.block;
  const Tensor blocks =
      at::constant_pad_nd(x.detach(), {0, whole - width}).reshape({rows, w.blocks(), w.block});
  const Tensor scale = blocks.abs().amax(-1, true) / 127;                               // [rows, blocks, 1]
  const Tensor rounded = at::where(scale > 0, (blocks / scale).round() * scale, scale)  // NaN stays
                             .reshape({rows, whole})
                             .narrow(1, 0, width);
  return at::matmul(x + (rounded - x.detach()), quantised_rows(weight, 0, w.columns).t());
}

}  // namespace sdft::ops
