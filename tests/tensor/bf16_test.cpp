// Products of numbers rounded to bf16 against sums in f64 of the same numbers.
#include <cstring>

#include "base/file.h"
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
  static std::vector<uint32_t> packed(const Bf16Products& products, Pack pack, const Array& x, int64_t rows,
                                      int64_t depth) {
    const int64_t whole = (rows + kPackedRows - 1) / kPackedRows * kPackedRows;
    std::vector<uint32_t> y(static_cast<size_t>(whole * packed_width(depth) * products.number_bytes / 4),
                            0x7fc07fc0);  // NaN where none writes, of either type
    pack(x.data(), depth, rows, depth, y.data());
    return y;
  }

  // By the tier's instruction, where it has one, and without.
  std::vector<Bf16Products> ways() const {
    std::vector<Bf16Products> all = {k->bf16_wide};
    if (k->bf16.multiply) all.push_back(k->bf16);
    return all;
  }
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
  for (const int64_t rows : {1, 2, 5, 16, 17, 33, 50, 129, 170})
    for (const int64_t columns : {1, 3, 16, 33, 64, 100})
      for (const int64_t depth : {1, 7, 31, 32, 33, 64, 257, 1100}) {
        const Array x = normal(rows * depth, rows % 4, "x"), w = normal(columns * depth, 1, "w");
        const auto a = rounded(x), b = rounded(w);
        const int64_t ldc = columns + 3;
        for (const Bf16Products& way : ways()) {
          const auto rows_of_a = packed(way, way.pack_of(rows), x, rows, depth);
          Array c(rows * ldc, 1, 5);
          for (const bool add : {false, true})
            way.multiply(rows_of_a.data(), rows, b.data(), depth, 0, columns, depth, add, c.data(), ldc);
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
}

TEST_P(Bf16Kernel, Backward) {
  for (const int64_t rows : {1, 13, 16, 17, 40})
    for (const int64_t n : {1, 2, 31, 33, 100, 1030})
      for (const int64_t columns : {1, 15, 16, 33, 70}) {
        const Array x = normal(rows * n, rows % 4, "x"), w = normal(n * columns, 1, "w");
        const auto a = rounded(x), b = rounded(w);
        const int64_t ldc = columns + 3;
        for (const Bf16Products& way : ways()) {
          const auto rows_of_a = packed(way, way.pack_back, x, rows, n);
          Array c(rows * ldc, 1, 5);
          for (const bool add : {false, true})
            way.multiply_back(rows_of_a.data(), rows, b.data(), columns, n, 0, columns, add, c.data(), ldc);
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
}

// The same bits for some rows and columns alone.
TEST_P(Bf16Kernel, AnElementDependsOnItsRowAndColumnOnly) {
  const int64_t rows = 150, columns = 75;
  for (const Bf16Products& way : ways())
    for (const int64_t depth : {31, 64, 1100}) {
      const Array x = normal(rows * depth, 1, "x"), w = normal(columns * depth, 2, "w");
      const auto b = rounded(w);
      Array all(rows * columns, 0);
      way.multiply(packed(way, way.pack_of(rows), x, rows, depth).data(), rows, b.data(), depth, 0, columns,
                   depth, false, all.data(), columns);
      for (const int64_t count : {1, 2, 4, 5, 16, 17, 33})
        for (const int64_t first : {0, 3, 37})
          for (const int64_t begin : {0, 5, 32}) {
            Array copy(count * depth, 3), some(count * columns, 0, -7);
            std::copy_n(x.data() + first * depth, count * depth, copy.data());
            way.multiply(packed(way, way.pack_of(count), copy, count, depth).data(), count, b.data(), depth,
                         begin, columns - 1, depth, false, some.data(), columns);
            for (int64_t i = 0; i < count; ++i)
              for (int64_t j = 0; j < columns; ++j)
                ASSERT_EQ(some[i * columns + j],
                          j >= begin && j < columns - 1 ? all[(first + i) * columns + j] : -7);
          }
    }
}

TEST(Bf16IsFast, ByTilesAndOnProcessorsThatAreNotIntels) {
#ifdef __x86_64__
  EXPECT_TRUE(bf16_is_fast(Tier::kAmx));
  const bool intel = read_text("/proc/cpuinfo").find("GenuineIntel") != std::string::npos;
  EXPECT_EQ(bf16_is_fast(Tier::kAvx512Bf16), !intel);
#else
  GTEST_SKIP() << "of x86 alone";
#endif
}

// Where few rows go by the instruction and many without, they must not be told apart.
TEST_P(Bf16Kernel, InstructionAndMultiplyAddsGiveTheSameBits) {
  if (bf16_is_fast(GetParam()) || GetParam() != Tier::kAvx512Bf16)
    GTEST_SKIP() << "nothing chooses between them";
  for (const int64_t depth : {31, 64, 576, 1100}) {
    const int64_t rows = 29, columns = 37;
    const Array x = normal(rows * depth, 1, "x"), w = normal(columns * depth, 2, "w"),
                dy = normal(rows * columns, 0, "dy");
    const auto b = rounded(w);
    std::vector<std::vector<float>> forward, backward;
    for (const Bf16Products& way : ways()) {
      Array y(rows * columns, 0), dx(rows * depth, 1);
      way.multiply(packed(way, way.pack_of(rows), x, rows, depth).data(), rows, b.data(), depth, 0, columns,
                   depth, false, y.data(), columns);
      way.multiply_back(packed(way, way.pack_back, dy, rows, columns).data(), rows, b.data(), depth, columns,
                        0, depth, false, dx.data(), depth);
      forward.push_back(y.values());
      backward.push_back(dx.values());
    }
    EXPECT_EQ(forward[0], forward[1]) << depth;
    EXPECT_EQ(backward[0], backward[1]) << depth;
  }
}

SDFT_EACH_TIER(Bf16Kernel);

}  // namespace
}  // namespace sdft
