// What choosing a token is made of, against plain loops: equals, infinities, ends of blocks.
#include <numeric>

#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::kShifts;
using testing::normal;

class SamplingKernels : public testing::EachTier {};

const std::vector<int64_t> kCounts = {1,  2,  3,  7,   15,  16,  17,  31,  33,
                                      63, 64, 65, 100, 127, 128, 129, 257, 5000};

// Logits in steps of a quarter, so that many are equal; every seventh ruled out.
Array stepped_logits(int64_t count, int64_t shift) {
  Array x = normal(count, shift, "logits", 3);
  for (int64_t i = 0; i < count; ++i) x[i] = i % 7 == 6 ? -INFINITY : std::round(x[i] * 4) / 4;
  return x;
}

TEST_P(SamplingKernels, MaximumCountAndFind) {
  for (int64_t count : kCounts)
    for (int64_t shift : kShifts) {
      const Array x = stepped_logits(count, shift);
      const float top = *std::max_element(x.data(), x.data() + count);
      ASSERT_EQ(k->maximum(x.data(), count), top);
      for (const float least : {top, top - 1, 0.0f, -INFINITY, top + 1}) {
        std::vector<int32_t> expected;
        for (int64_t i = 0; i < count; ++i)
          if (x[i] >= least) expected.push_back(static_cast<int32_t>(i));
        const auto all = static_cast<int64_t>(expected.size());
        ASSERT_EQ(k->count_at_least(x.data(), count, least), all);
        for (const int64_t limit : {int64_t{1}, int64_t{3}, count}) {
          std::vector<int32_t> found(static_cast<size_t>(limit) + 1, -9);
          const int64_t n = k->find_at_least(x.data(), count, least, limit, found.data());
          ASSERT_EQ(n, std::min(limit, all));
          ASSERT_TRUE(std::equal(found.begin(), found.begin() + n, expected.begin()));
          ASSERT_EQ(found.back(), -9) << "written beyond the limit";
        }
      }
    }
}

// What the sampler refuses must be seen as such.
TEST_P(SamplingKernels, MaximumOfWhatIsNoNumber) {
  for (int64_t count : kCounts) {
    EXPECT_EQ(k->maximum(Array(count, 1, -INFINITY).data(), count), -INFINITY);
    EXPECT_EQ(k->maximum(Array(count, 2, NAN).data(), count), -INFINITY);
    Array x = normal(count, 3, "x");
    x[count / 2] = INFINITY;
    EXPECT_EQ(k->maximum(x.data(), count), INFINITY);
  }
}

TEST_P(SamplingKernels, WeightsAndTheirSums) {
  for (int64_t count : kCounts)
    for (int64_t shift : kShifts) {
      const Array x = stepped_logits(count, shift);
      const float top = k->maximum(x.data(), count), factor = 1.25f;
      Array weights(count, (shift + 1) % 4);
      const double sum = k->softmax_weights(x.data(), count, top, factor, weights.data());
      double exact_sum = 0, some = 0;
      for (int64_t i = 0; i < count; ++i) {
        const double exponent = (static_cast<double>(x[i]) - top) * factor, exact = std::exp(exponent);
        check("softmax_weights", weights[i], exact, exact * (1 + std::min(87.0, -exponent)) + 1e-28, 1.5);
        exact_sum += exact;
        if (x[i] >= top - 2) some += weights[i];
      }
      check("softmax_weights, sum", sum, exact_sum, exact_sum, 8);
      check("sum_at_least", k->sum_at_least(x.data(), weights.data(), count, top - 2), some, some, 2);
      ASSERT_EQ(k->sum_at_least(x.data(), weights.data(), count, INFINITY), 0);
    }
}

// Whole numbers add up exactly, so that the place is certain.
TEST_P(SamplingKernels, FirstBeyond) {
  for (int64_t count : kCounts)
    for (int64_t shift : kShifts) {
      Array weights(count, shift);
      for (int64_t i = 0; i < count; ++i) weights[i] = static_cast<float>(i % 5);
      const double total = std::accumulate(weights.data(), weights.data() + count, 0.0);
      for (const double sum : {0.0, 0.5, total / 3, total / 2, total - 1, total - 0.5, total, total + 1}) {
        int64_t expected = 0;
        for (double before = weights[0]; before <= sum && expected < count - 1;)
          before += weights[++expected];
        ASSERT_EQ(k->first_beyond(weights.data(), count, sum), expected) << count << ' ' << sum;
      }
    }
}

SDFT_EACH_TIER(SamplingKernels);

}  // namespace
}  // namespace sdft
