// What the machine's peaks are measured by.
#include "tensor/peaks.h"

#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::kShifts;

class PeakKernels : public testing::EachTier {};

TEST_P(PeakKernels, LoopsDoWhatTheySay) {
  for (const auto loop : {k->peaks.f32, k->peaks.bf16, k->peaks.int8}) {
    if (!loop) continue;
    EXPECT_EQ(loop(0), 0);
    EXPECT_GT(loop(10), 0);
    EXPECT_EQ(loop(20), 2 * loop(10));
  }
  EXPECT_EQ(k->peaks.bf16 != nullptr, k->bf16.multiply != nullptr);
}

TEST_P(PeakKernels, ReadSeesEveryNumber) {
  for (const int64_t count : {16, 32, 48, 1024, 4096 + 16})
    for (const int64_t shift : kShifts) {
      Array x(count, shift);
      uint32_t sum = 0;
      for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = static_cast<uint32_t>(i) * 0x9e3779b9u;
        std::memcpy(&x[i], &bits, sizeof bits);
        sum += bits;
      }
      EXPECT_EQ(k->peaks.read(reinterpret_cast<const uint32_t*>(x.data()), count), sum) << count;
    }
}

SDFT_EACH_TIER(PeakKernels);

TEST(Peaks, AreMeasured) {
  const MachinePeaks peaks = measure_peaks();
  EXPECT_GE(peaks.tier, Tier::kBaseline);
  EXPECT_GE(peaks.threads, 1);
  for (const ArithmeticPeaks& some : {peaks.one_thread, peaks.all_threads}) {
    EXPECT_GT(some.f32, 1e6);
    EXPECT_GT(some.int8, 1e6);
    EXPECT_TRUE(std::isfinite(some.f32) && std::isfinite(some.bf16) && std::isfinite(some.int8));
  }
  EXPECT_GT(peaks.read_bytes, 1e6);
  const std::vector<uint8_t> some(257 << 20, 1);
  EXPECT_GT(measure_peaks({{some.data(), 1 << 20}, {some.data(), 256 << 20}}).read_bytes, 1e6);
}

}  // namespace
}  // namespace sdft
