// Products of numbers rounded to bf16 against sums in f64 of the same numbers.
#include <cstring>

#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::normal;

float value_of(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

class Bf16Kernel : public testing::EachTier {
 protected:
  std::vector<uint16_t> rounded(const Array& x) {
    std::vector<uint16_t> y(static_cast<size_t>(x.size()));
    k->round_bf16(x.data(), x.size(), y.data());
    return y;
  }

  using Pack = decltype(Bf16Products::pack);
  std::vector<uint16_t> packed(Pack pack, const Array& x, int64_t rows, int64_t depth) {
    const int64_t whole = (rows + kPackedRows - 1) / kPackedRows * kPackedRows;
    std::vector<uint16_t> y(static_cast<size_t>(whole * packed_width(depth)),
                            0x7fc0);  // NaN where none writes
    pack(x.data(), depth, rows, depth, y.data());
    return y;
  }

  bool has_products() const { return k->bf16.multiply != nullptr; }
};

// All tiers to the same bits: the nearest, ties to even, subnormal numbers to zero.
TEST_P(Bf16Kernel, Rounding) {
  const std::vector<std::pair<float, uint16_t>> cases = {{0.0f, 0},
                                                         {-0.0f, 0x8000},
                                                         {1.0f, 0x3f80},
                                                         {1.00390625f, 0x3f80},  // a tie
                                                         {1.01171875f, 0x3f82},  // the other way
                                                         {1.0039063692f, 0x3f81},
                                                         {-1.5f, 0xbfc0},
                                                         {3.4e38f, 0x7f80},
                                                         {INFINITY, 0x7f80},
                                                         {-INFINITY, 0xff80},
                                                         {1e-40f, 0},
                                                         {-1e-40f, 0x8000},
                                                         {1.17549435e-38f, 0x0080}};
  for (const auto& [x, expected] : cases)
    for (int64_t count : {1, 33}) {
      const std::vector<float> all(static_cast<size_t>(count), x);
      std::vector<uint16_t> y(all.size(), 1);
      k->round_bf16(all.data(), count, y.data());
      EXPECT_EQ(y, std::vector<uint16_t>(all.size(), expected)) << x;
    }
  float nan = NAN;
  uint16_t bits = 0;
  k->round_bf16(&nan, 1, &bits);
  EXPECT_TRUE(std::isnan(value_of(bits)));
}

TEST_P(Bf16Kernel, Forward) {
  if (!has_products()) GTEST_SKIP() << name_of(GetParam()) << " multiplies in f32";
  for (const int64_t rows : {1, 2, 5, 16, 17, 33, 50})
    for (const int64_t columns : {1, 3, 16, 33, 64, 100})
      for (const int64_t depth : {1, 7, 31, 32, 33, 64, 257, 1100}) {
        const Array x = normal(rows * depth, rows % 4, "x"), w = normal(columns * depth, 1, "w");
        const auto a = rounded(x), b = rounded(w);
        const auto rows_of_a = packed(k->bf16.pack, x, rows, depth);
        const int64_t ldc = columns + 3;
        Array c(rows * ldc, 1, 5);
        for (const bool add : {false, true})
          k->bf16.multiply(rows_of_a.data(), rows, b.data(), depth, 0, columns, depth, add, c.data(), ldc);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < ldc; ++j) {
            if (j >= columns) {
              ASSERT_EQ(c[i * ldc + j], 5) << "beyond the columns";
              continue;
            }
            double sum = 0, scale = 0;
            for (int64_t p = 0; p < depth; ++p) {
              const double term = static_cast<double>(value_of(a[static_cast<size_t>(i * depth + p)])) *
                                  value_of(b[static_cast<size_t>(j * depth + p)]);
              sum += term;
              scale += std::abs(term);
            }
            check("linear, bf16", c[i * ldc + j], 2 * sum, 2 * scale, 4);
          }
      }
}

TEST_P(Bf16Kernel, Backward) {
  if (!has_products()) GTEST_SKIP() << name_of(GetParam()) << " multiplies in f32";
  for (const int64_t rows : {1, 13, 16, 17, 40})
    for (const int64_t n : {1, 2, 31, 33, 100, 1030})
      for (const int64_t columns : {1, 15, 16, 33, 70}) {
        const Array x = normal(rows * n, rows % 4, "x"), w = normal(n * columns, 1, "w");
        const auto a = rounded(x), b = rounded(w);
        const auto rows_of_a = packed(k->bf16.pack_back, x, rows, n);
        const int64_t ldc = columns + 3;
        Array c(rows * ldc, 1, 5);
        for (const bool add : {false, true})
          k->bf16.multiply_back(rows_of_a.data(), rows, b.data(), columns, n, 0, columns, add, c.data(), ldc);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < ldc; ++j) {
            if (j >= columns) {
              ASSERT_EQ(c[i * ldc + j], 5) << "beyond the columns";
              continue;
            }
            double sum = 0, scale = 0;
            for (int64_t p = 0; p < n; ++p) {
              const double term = static_cast<double>(value_of(a[static_cast<size_t>(i * n + p)])) *
                                  value_of(b[static_cast<size_t>(p * columns + j)]);
              sum += term;
              scale += std::abs(term);
            }
            check("linear backward, bf16", c[i * ldc + j], 2 * sum, 2 * scale, 8);
          }
      }
}

// The same bits for some rows and columns alone.
TEST_P(Bf16Kernel, AnElementDependsOnItsRowAndColumnOnly) {
  if (!has_products()) GTEST_SKIP() << name_of(GetParam()) << " multiplies in f32";
  const int64_t rows = 70, columns = 75;
  for (const int64_t depth : {31, 64, 1100}) {
    const Array x = normal(rows * depth, 1, "x"), w = normal(columns * depth, 2, "w");
    const auto b = rounded(w);
    Array all(rows * columns, 0);
    k->bf16.multiply(packed(k->bf16.pack, x, rows, depth).data(), rows, b.data(), depth, 0, columns, depth,
                     false, all.data(), columns);
    for (const int64_t count : {1, 2, 4, 5, 16, 17, 33})
      for (const int64_t first : {0, 3, 37})
        for (const int64_t begin : {0, 5, 32}) {
          Array copy(count * depth, 3), some(count * columns, 0, -7);
          std::copy_n(x.data() + first * depth, count * depth, copy.data());
          k->bf16.multiply(packed(k->bf16.pack, copy, count, depth).data(), count, b.data(), depth, begin,
                           columns - 1, depth, false, some.data(), columns);
          for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < columns; ++j)
              ASSERT_EQ(some[i * columns + j],
                        j >= begin && j < columns - 1 ? all[(first + i) * columns + j] : -7);
        }
  }
}

SDFT_EACH_TIER(Bf16Kernel);

}  // namespace
}  // namespace sdft
