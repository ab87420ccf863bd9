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
QuantisedMatrix form_of(at::IntArrayRef shape, WeightBits bits) {
  const bool whole = bits == WeightBits::kInt8;
  const int64_t k = filled_up(shape[1], kQuantisedDepth);
  return {shape[0], k, whole ? 128 : 32, whole ? 8 : 4, nullptr, nullptr, nullptr};
}

int64_t code_bytes(const QuantisedMatrix& w) { return panels_of(w.columns) * w.panel_bytes(); }
int64_t scale_count(const QuantisedMatrix& w) { return panels_of(w.columns) * w.blocks() * kQuantisedPanel; }

Storage room_for(at::IntArrayRef shape, WeightBits bits, TensorMemory* memory) {
  const auto zeros = [&](int64_t count, at::ScalarType type) {
    return memory ? memory->take({count}, type) : at::zeros({count}, type);
  };
  const bool whole = bits == WeightBits::kInt8;
  Storage s;
  s.matrix = form_of(shape, bits);
  s.codes = zeros(code_bytes(s.matrix), at::kByte);
  s.scales = zeros(scale_count(s.matrix), at::kFloat);
  if (!whole) s.offsets = zeros(scale_count(s.matrix), at::kFloat);
  s.matrix.codes = s.codes.data_ptr<uint8_t>();
  s.matrix.scales = s.scales.data_ptr<float>();
  s.matrix.offsets = whole ? nullptr : s.offsets.data_ptr<float>();
  return s;
}

// A block of a row of W, numbers [p, p + count).
struct Block {
  const float* numbers;
  int64_t column, p, count;
};

struct Range {
  float smallest, largest;
};

Range range_of(const Block& block) {
  Range range{block.numbers[0], block.numbers[0]};
  for (int64_t i = 0; i < block.count; ++i) {
    // A sum with NaN is NaN, which no comparison would keep.
    if (!std::isfinite(block.numbers[i])) return {NAN, NAN};
    range.smallest = std::min(range.smallest, block.numbers[i]);
    range.largest = std::max(range.largest, block.numbers[i]);
  }
  return range;
}

// False where a number is not finite.
bool quantise(const Block& block, const Storage& to) {
  const QuantisedMatrix& w = to.matrix;
  const Range range = range_of(block);
  if (std::isnan(range.smallest)) return false;
  const int64_t panel = block.column / kQuantisedPanel, row = block.column % kQuantisedPanel;
  const int64_t at = (panel * w.blocks() + block.p / w.block) * kQuantisedPanel + row;
  const auto most = static_cast<float>((1 << w.bits) - 1);
  const float size = std::max(-range.smallest, range.largest);
  const float scale = w.offsets ? (range.largest - range.smallest) / most : size / 127,
              offset = w.offsets ? range.smallest : 0, inverse = scale > 0 ? 1 / scale : 0;
  to.scales.data_ptr<float>()[at] = scale;
  if (w.offsets) to.offsets.data_ptr<float>()[at] = offset;
  uint8_t* codes = to.codes.data_ptr<uint8_t>() + panel * w.panel_bytes();
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t p = block.p + i, half = w.bits == 8 ? p : p / 32 * 16 + p % 16;
    const float wanted = std::nearbyint((block.numbers[i] - offset) * inverse) + static_cast<float>(w.zero());
    const auto code = static_cast<uint8_t>(std::clamp(wanted, 0.0f, most));
    codes[(half / 4 * kQuantisedPanel + row) * 4 + half % 4] |=
        w.bits == 4 && p % 32 >= 16 ? static_cast<uint8_t>(code << 4) : code;
  }
  return true;
}

const Storage& storage_of(const Tensor& x) {
  return *static_cast<Impl*>(x.unsafeGetTensorImpl())->opaque_handle();
}

// Activations as a matrix's products take them.
struct Rows {
  Rows(const Tensor& x, const QuantisedMatrix& w) {
    const int64_t rows = x.size(0), width = x.size(1);
    const int64_t whole = filled_up(rows, kPackedRows);
    const QuantisedProducts& products = kernels().quantised;
    numbers = at::empty({whole * w.k * products.number_bytes}, at::kByte);
    scales = at::empty({whole, w.blocks()}, at::kFloat);
    sums = at::empty({whole, w.blocks()}, at::kInt);
    view = {numbers.data_ptr(), scales.data_ptr<float>(), sums.data_ptr<int32_t>()};
    at::parallel_for(0, rows, grain(w.k), [&](int64_t begin, int64_t end) {
      products.pack(in(x), width, begin, end, width, w, view);
    });
  }
  Tensor numbers, scales, sums;
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

int64_t quantised_bytes(at::IntArrayRef shape, WeightBits bits) {
  const QuantisedMatrix form = form_of(shape, bits);
  return code_bytes(form) + scale_count(form) * (bits == WeightBits::kInt8 ? 4 : 8);
}

Tensor quantised(const Tensor& weight, WeightBits bits, const std::string& name, TensorMemory* memory) {
  const int64_t columns = weight.size(0), width = weight.size(1);
  auto storage = std::make_shared<Storage>(room_for(weight.sizes(), bits, memory));
  std::atomic<bool> finite{true};
  at::parallel_for(0, panels_of(columns), 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kQuantisedPanel, last = std::min(columns, end * kQuantisedPanel);
    for (int64_t j = first; j < last; ++j) {
      const Tensor row = weight.select(0, j).to(at::kFloat).contiguous();
      for (int64_t p = 0; p < width; p += storage->matrix.block)
        if (!quantise({in(row) + p, j, p, std::min(storage->matrix.block, width - p)}, *storage))
          finite = false;
    }
  });
  if (!finite) fail_input(name, "holds numbers that are not finite");
  return at::detail::make_tensor<Impl>(c10::DispatchKeySet(kBackend), caffe2::TypeMeta::Make<c10::quint8>(),
                                       c10::Device(at::kCPU), Handle(storage), weight.sizes());
}

int64_t bytes_of(const Tensor& weight) {
  if (!is_quantised(weight)) return static_cast<int64_t>(weight.nbytes());
  const Storage& s = storage_of(weight);
  return static_cast<int64_t>(s.codes.nbytes() + s.scales.nbytes() +
                              (s.offsets.defined() ? s.offsets.nbytes() : 0));
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

void add_product_quantised(const Tensor& x, const Tensor& weight, bool add, Tensor& y) {
  const QuantisedMatrix& w = storage_of(weight).matrix;
  const Rows rows(x, w);
  for_columns(w.columns, 2 * kQuantisedPanel, x.size(0), w.k, [&](int64_t begin, int64_t end) {
    kernels().quantised.multiply(w, rows.view, x.size(0), begin, end, add, out(y), w.columns);
  });
}

Tensor product_quantised_kernels(const Tensor& x, const Tensor& weight) {
  Tensor y = at::empty({x.size(0), weight.size(0)}, x.options().requires_grad(false));
  add_product_quantised(x.contiguous(), weight, false, y);
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
