// Products of weights and activations of few bits against sums in f64 of the same numbers.
#include <cstring>

#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::normal;

struct Form {
  int bits;
  int64_t block;  // 0: a row
  bool offsets;
  bool f16 = true;  // scales and offsets
};

// A matrix's scales or offsets, numbers of f16.
struct Factors {
  Factors(size_t count, const std::function<double()>& draw) : f32(count), f16(count) {
    for (size_t i = 0; i < count; ++i) {
      const auto half = static_cast<at::Half>(static_cast<float>(draw()));
      f32[i] = half, f16[i] = half.x;
    }
  }
  BlockNumbers as(bool half) const {
    return half ? BlockNumbers{nullptr, f16.data()} : BlockNumbers{f32.data()};
  }

  std::vector<float> f32;
  std::vector<uint16_t> f16;
};

// A matrix of codes drawn at random, as the kernels have it and as numbers.
struct Matrix {
  Matrix(int64_t columns, int64_t depth, const Form& form) : width(depth) {
    const int64_t k = (depth + kQuantisedDepth - 1) / kQuantisedDepth * kQuantisedDepth;
    const int64_t panels = (columns + kQuantisedPanel - 1) / kQuantisedPanel;
    w = {columns, k, form.block ? form.block : k, form.bits, nullptr, {}, {}};
    Random random(3, "codes");
    codes.resize(static_cast<size_t>(panels * w.panel_bytes()));
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random.below(256));
    const auto factors = static_cast<size_t>(panels * w.blocks() * kQuantisedPanel);
    scales = Factors(factors, [&] { return random.uniform() + 0.5; });
    if (form.offsets) offsets = Factors(factors, [&] { return random.normal(); });
    w.codes = codes.data();
    w.scales = scales.as(form.f16);
    if (form.offsets) w.offsets = offsets.as(form.f16);
  }

  struct Parts {
    double scaled, offset;
  };
  double value(int64_t j, int64_t p) const { return parts(j, p).scaled + parts(j, p).offset; }
  double size(int64_t j, int64_t p) const {
    return std::abs(parts(j, p).scaled) + std::abs(parts(j, p).offset);
  }
  Parts parts(int64_t j, int64_t p) const {
    const int64_t panel = j / kQuantisedPanel, row = j % kQuantisedPanel;
    const int64_t half = w.bits == 8 ? p : p / 32 * 16 + p % 16;
    int code = w.codes[panel * w.panel_bytes() + (half / 4 * kQuantisedPanel + row) * 4 + half % 4];
    if (w.bits == 4) code = p % 32 < 16 ? code & 15 : code >> 4;
    const auto block = static_cast<size_t>((panel * w.blocks() + p / w.block) * kQuantisedPanel + row);
    return {static_cast<double>(scales.f32[block]) * (code - w.zero()),
            w.offsets.there() ? offsets.f32[block] : 0.0};
  }

  int64_t width;
  QuantisedMatrix w;
  std::vector<uint8_t> codes;
  Factors scales{0, {}}, offsets{0, {}};
};

// Packed activations, and as numbers.
struct Rows {
  Rows(const Kernels& k, const Array& x, int64_t rows, const Matrix& matrix)
      : bytes(k.quantised.number_bytes), m(matrix) {
    const int64_t whole = (rows + kPackedRows - 1) / kPackedRows * kPackedRows;
    numbers.resize(static_cast<size_t>(whole * m.w.k * bytes), 0x55);
    scales.resize(static_cast<size_t>(whole * m.w.blocks()), NAN);
    starts.resize(scales.size(), 1 << 30);
    sums.resize(scales.size(), NAN);
    view = {numbers.data(), scales.data(), starts.data(), sums.data()};
    const int64_t half = rows / 2;
    k.quantised.pack(x.data(), m.width, 0, half, m.width, m.w, view);
    k.quantised.pack(x.data(), m.width, half, rows, m.width, m.w, view);
  }
  int number(int64_t i, int64_t p) const {
    const auto at = static_cast<size_t>(i * m.w.k + p);
    if (bytes == 1) return reinterpret_cast<const int8_t*>(numbers.data())[at];
    return reinterpret_cast<const int16_t*>(numbers.data())[at];
  }
  float scale(int64_t i, int64_t p) const {
    return scales[static_cast<size_t>(i * m.w.blocks() + p / m.w.block)];
  }

  int64_t bytes;
  const Matrix& m;
  std::vector<uint8_t> numbers;
  std::vector<float> scales, sums;
  std::vector<int32_t> starts;
  QuantisedRows view;
};

class QuantisedKernel : public testing::EachTier {
 protected:
  void check_product(const Matrix& m, int64_t rows) {
    const Array x = normal(rows * m.width, rows % 4, "x");
    const Rows a(*k, x, rows, m);
    const int64_t columns = m.w.columns, ldc = columns + 3;
    Array c(rows * ldc, 1, 5);
    for (const bool add : {false, true}) {
      const int64_t middle = columns / 2 / kQuantisedPanel * kQuantisedPanel;
      k->quantised.multiply(m.w, a.view, rows, 0, middle, add, c.data(), ldc);
      k->quantised.multiply(m.w, a.view, rows, middle, columns, add, c.data(), ldc);
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < ldc; ++j) {
        if (j >= columns) {
          ASSERT_EQ(c[i * ldc + j], 5) << "beyond the columns";
          continue;
        }
        double sum = 0, size = 0;
        for (int64_t p = 0; p < m.width; ++p) {
          const double number = static_cast<double>(a.scale(i, p)) * a.number(i, p);
          sum += number * m.value(j, p);
          size += std::abs(number) * m.size(j, p);
        }
        check("linear, few bits", c[i * ldc + j], 2 * sum, 2 * size, 4);
      }
  }
};

// The nearest of 127 steps of the largest, ties to even; zeros where the row has no more.
TEST_P(QuantisedKernel, Activations) {
  const Matrix m(16, 37, {8, 0, false});
  for (const int64_t rows : {1, 5}) {
    const Array x = normal(rows * 37, 1, "x", 3);
    const Rows a(*k, x, rows, m);
    for (int64_t i = 0; i < rows; ++i) {
      float largest = 0;
      for (int64_t p = 0; p < 37; ++p) largest = std::max(largest, std::abs(x[i * 37 + p]));
      EXPECT_EQ(a.scale(i, 0), largest / 127);
      int32_t sum = 0;
      for (int64_t p = 0; p < m.w.k; ++p) {
        const int number = a.number(i, p);
        sum += number;
        const float wanted = p < 37 ? std::nearbyint(x[i * 37 + p] * (127 / largest)) : 0;
        EXPECT_EQ(number, static_cast<int>(wanted)) << i << " " << p;
      }
      EXPECT_EQ(a.starts[static_cast<size_t>(i)], -128 * sum);
    }
  }
}

// Zeros give zeros; what is not finite makes its whole block so, and no other.
TEST_P(QuantisedKernel, ActivationsOfAnyKind) {
  const Matrix m(16, 64, {8, 32, false});
  for (const float odd : {0.0f, 1e-40f, NAN, INFINITY, -INFINITY}) {
    Array x(64, 0, 0);
    x[3] = odd;
    x[40] = 2;
    const Rows a(*k, x, 1, m);
    Array c(16, 0);
    k->quantised.multiply(m.w, a.view, 1, 0, 16, false, c.data(), 16);
    EXPECT_EQ(std::isnan(a.scale(0, 3)), !std::isfinite(odd));
    EXPECT_EQ(a.scale(0, 40), 2.0f / 127);
    for (int64_t j = 0; j < 16; ++j) EXPECT_EQ(std::isnan(c[j]), !std::isfinite(odd));
  }
}

TEST_P(QuantisedKernel, Product) {
  for (const Form& form : std::vector<Form>{{8, 0, false},
                                            {8, 128, false},
                                            {8, 32, false, false},
                                            {8, 16, true, false},
                                            {8, 32, true},
                                            {4, 32, false},
                                            {4, 32, true},
                                            {4, 32, true, false}})
    for (const int64_t rows : {1, 2, 3, 5, 7, 13, 16, 17, 33, 50})
      for (const int64_t columns : {1, 15, 16, 17, 33, 100})
        for (const int64_t width : {1, 31, 64, 100, 257}) check_product(Matrix(columns, width, form), rows);
}

// The largest whole number that a sum can be told from.
TEST_P(QuantisedKernel, LongSums) {
  const int64_t width = 60000;
  Matrix m(16, width, {8, 0, false});
  std::fill(m.codes.begin(), m.codes.end(), uint8_t{255});
  Array x(width, 0, 1);
  const Rows a(*k, x, 1, m);
  Array c(16, 0);
  k->quantised.multiply(m.w, a.view, 1, 0, 16, false, c.data(), 16);
  for (int64_t j = 0; j < 16; ++j)
    check("linear, few bits", c[j],
          127.0 * 127 * width * (static_cast<double>(m.scales.f32[static_cast<size_t>(j)]) / 127),
          127.0 * 127 * width * m.scales.f32[static_cast<size_t>(j)] / 127, 4);
}

TEST_P(QuantisedKernel, Widened) {
  for (const Form& form : std::vector<Form>{
           {8, 0, false}, {8, 32, false, false}, {4, 32, false}, {4, 32, true}, {4, 32, true, false}})
    for (const int64_t width : {1, 30, 64, 101}) {
      const Matrix m(20, width, form);
      for (const int64_t panel : {0, 1}) {
        const int64_t rows = panel == 0 ? 16 : 4;
        Array y(rows * width, 1);
        k->quantised.widen(m.w, panel, width, y.data());
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t p = 0; p < width; ++p) {
            const int64_t j = panel * 16 + i;
            check("widened, few bits", y[i * width + p], m.value(j, p), m.size(j, p), 2);
          }
      }
    }
}

// A row's numbers are the same bits alone and beside others.
TEST_P(QuantisedKernel, RowsAreTheirOwn) {
  for (const Form& form : std::vector<Form>{{8, 0, false}, {4, 32, true}}) {
    const Matrix m(48, 200, form);
    const int64_t rows = 40;
    const Array x = normal(rows * 200, 0, "x");
    const Rows all(*k, x, rows, m);
    Array c(rows * 48, 0), one(48, 0);
    k->quantised.multiply(m.w, all.view, rows, 0, 48, false, c.data(), 48);
    for (int64_t i = 0; i < rows; ++i) {
      Array row(200, 0);
      std::copy_n(x.data() + i * 200, 200, row.data());
      const Rows own(*k, row, 1, m);
      k->quantised.multiply(m.w, own.view, 1, 0, 48, false, one.data(), 48);
      ASSERT_EQ(std::memcmp(one.data(), c.data() + i * 48, 48 * sizeof(float)), 0) << "row " << i;
    }
  }
}

SDFT_EACH_TIER(QuantisedKernel);

}  // namespace
}  // namespace sdft
