// The kernel of inference's products against sums in f64.
#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::kSizes;
using testing::normal;

class LinearKernel : public testing::EachTier {
 protected:
  // rows of a by columns of w over k numbers, added to c or not; rows of all three lie `gap` further apart
  // than need be.
  void expect_product(int64_t rows, int64_t columns, int64_t depth, bool add, int64_t gap, int64_t shift) {
    const int64_t ld = depth + gap, ldc = columns + gap;
    const Array a = normal(rows * ld, shift, "a"), w = normal(columns * ld, (shift + 1) % 4, "w"),
                before = normal(rows * ldc, 0, "c");
    Array c(rows * ldc, (shift + 2) % 4);
    std::copy_n(before.data(), before.size(), c.data());
    k->linear(a.data(), ld, w.data(), ld, rows, 0, columns, depth, add, c.data(), ldc);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < ldc; ++j) {
        if (j >= columns) {
          ASSERT_EQ(c[i * ldc + j], before[i * ldc + j]) << "beyond the columns";
          continue;
        }
        double sum = add ? before[i * ldc + j] : 0, scale = std::abs(sum);
        for (int64_t p = 0; p < depth; ++p) {
          const double term = static_cast<double>(a[i * ld + p]) * w[j * ld + p];
          sum += term;
          scale += std::abs(term);
        }
        check("linear", c[i * ldc + j], sum, scale, 3);
      }
  }
};

TEST_P(LinearKernel, Sizes) {
  for (int64_t depth : kSizes)
    for (int64_t columns : kSizes)
      for (int64_t rows : {1, 2, 3, 5, 6, 7, 13})
        expect_product(rows, columns, depth, rows % 2 == 0, 0, rows % 4);
}

TEST_P(LinearKernel, LongSumsAndManyRows) {
  for (int64_t depth : {511, 512, 513, 1030, 3000}) expect_product(5, 9, depth, true, 0, 1);
  expect_product(70, 12, 1030, false, 0, 2);
  expect_product(3, 40000, 16, false, 0, 3);  // more columns than fit a block of the cache
}

TEST_P(LinearKernel, RowsFurtherApart) {
  for (int64_t shift : testing::kShifts)
    for (int64_t gap : {1, 5}) expect_product(7, 18, 33, true, gap, shift);
}

// The same bytes for a row and a range of columns alone, wherever its numbers lie.
TEST_P(LinearKernel, AnElementDependsOnItsRowAndColumnOnly) {
  for (int64_t depth : {1, 7, 33, 100, 513, 1030}) {
    const int64_t rows = 23, columns = 19;
    const Array a = normal(rows * depth, 1, "a"), w = normal(columns * depth, 2, "w");
    Array all(rows * columns, 0);
    k->linear(a.data(), depth, w.data(), depth, rows, 0, columns, depth, false, all.data(), columns);
    for (int64_t count : {1, 2, 3, 5, 11})
      for (int64_t first = 0; first + count <= rows; first += 6)
        for (int64_t begin : {0, 3}) {
          Array some(count * columns, 3, -7);
          Array copy(count * depth, first % 4);
          std::copy_n(a.data() + first * depth, count * depth, copy.data());
          k->linear(copy.data(), depth, w.data(), depth, count, begin, columns - 1, depth, false, some.data(),
                    columns);
          for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < columns; ++j)
              ASSERT_EQ(some[i * columns + j],
                        j >= begin && j < columns - 1 ? all[(first + i) * columns + j] : -7);
        }
  }
}

// Weights of 16 bits: the bits that the same numbers in f32 give.
TEST_P(LinearKernel, WeightsOf16Bits) {
  for (int64_t depth : kSizes)
    for (int64_t columns : {1, 3, 4, 9})
      for (int64_t rows : {1, 2, 3, 5, 7, 13}) {
        std::vector<uint16_t> w(static_cast<size_t>(columns * depth));
        Random random(9);
        for (uint16_t& x : w) x = static_cast<uint16_t>(random.below(1 << 16)) & 0xbbff;  // finite
        const Array a = normal(rows * depth, 1, "a");
        for (const auto& [linear, widen] :
             {std::pair(k->linear_f16, k->widen_f16), std::pair(k->linear_bf16, k->widen_bf16)}) {
          Array wide(columns * depth, 2), got(rows * columns, 0), expected(rows * columns, 0);
          widen(w.data(), columns * depth, wide.data());
          linear(a.data(), depth, w.data(), depth, rows, 0, columns, depth, false, got.data(), columns);
          k->linear(a.data(), depth, wide.data(), depth, rows, 0, columns, depth, false, expected.data(),
                    columns);
          ASSERT_EQ(got.values(), expected.values()) << depth << " x " << columns;
        }
      }
}

// A number of 16 bits with `exponent` bits of exponent, sign first.
double number_of(uint16_t bits, int exponent) {
  const int fraction = 15 - exponent, bias = (1 << (exponent - 1)) - 1;
  const int power = (bits >> fraction) & ((1 << exponent) - 1), rest = bits & ((1 << fraction) - 1);
  const double sign = bits & 0x8000 ? -1 : 1, part = std::ldexp(rest, -fraction);
  if (power == (1 << exponent) - 1) return rest ? std::nan("") : sign * INFINITY;
  return sign * (power ? std::ldexp(1 + part, power - bias) : std::ldexp(part, 1 - bias));
}

class WidenKernel : public testing::EachTier {};

TEST_P(WidenKernel, AllNumbers) {
  std::vector<uint16_t> all(1 << 16);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  Array f16(1 << 16, 1), bf16(1 << 16, 1);
  k->widen_f16(all.data(), 1 << 16, f16.data());
  k->widen_bf16(all.data(), 1 << 16, bf16.data());
  for (int64_t i = 0; i < 1 << 16; ++i) {
    const double half = number_of(all[static_cast<size_t>(i)], 5),
                 brain = number_of(all[static_cast<size_t>(i)], 8);
    ASSERT_TRUE(std::isnan(half) ? std::isnan(f16[i]) : f16[i] == half) << i << ": " << f16[i];
    ASSERT_TRUE(std::isnan(brain) ? std::isnan(bf16[i]) : bf16[i] == brain) << i << ": " << bf16[i];
    ASSERT_EQ(std::signbit(f16[i]), i >= 0x8000) << i;
  }
  for (int64_t count : kSizes) {  // what is left over beside whole registers
    Array few(count, count % 4);
    k->widen_f16(all.data() + 15000, count, few.data());
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(few[i], f16[15000 + i]);
  }
}

SDFT_EACH_TIER(WidenKernel);
SDFT_EACH_TIER(LinearKernel);

}  // namespace
}  // namespace sdft
