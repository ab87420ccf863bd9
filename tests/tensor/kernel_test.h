// What the kernels' tests share: every tier that runs here, arrays that begin anywhere, errors in units of
// rounding.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tensor/cpu/kernels.h"

namespace sdft::testing {

inline std::vector<Tier> kernel_tiers() {
  std::vector<Tier> tiers;
  for (const Tier tier : all_tiers())
    if (tier >= Tier::kBaseline) tiers.push_back(tier);
  return tiers;
}

inline std::string tier_name(const ::testing::TestParamInfo<Tier>& info) { return name_of(info.param); }

// Lengths around the widths of registers and blocks.
const std::vector<int64_t> kSizes = {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 100, 257};
// Numbers by which an array begins beyond a boundary of 64 bytes.
const std::vector<int64_t> kShifts = {0, 1, 2, 3};

// f32 numbers that begin `shift` numbers beyond such a boundary, with a margin on either side that no kernel
// may write to.
class Array {
 public:
  Array(int64_t count, int64_t shift, float value = 0)
      : storage_(static_cast<size_t>(count + 4 * kMargin), kUntouched), count_(count) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data() + kMargin);
    data_ = storage_.data() + kMargin + (64 - address % 64) % 64 / sizeof(float) + shift;
    std::fill_n(data_, count, value);
  }
  Array(const Array&) = delete;
  Array(Array&& other) = default;
  ~Array() {
    for (const float& x : storage_)
      if (&x < data_ || &x >= data_ + count_) {
        EXPECT_EQ(x, kUntouched) << "written " << (&x - data_) << " of " << count_;
      }
  }
  float* data() { return data_; }
  const float* data() const { return data_; }
  float& operator[](int64_t i) { return data_[i]; }
  float operator[](int64_t i) const { return data_[i]; }
  int64_t size() const { return count_; }
  std::vector<float> values() const { return {data_, data_ + count_}; }

 private:
  static constexpr int64_t kMargin = 16;
  static constexpr float kUntouched = 12345.0f;
  std::vector<float> storage_;
  int64_t count_;
  float* data_;
};

inline Array normal(int64_t count, int64_t shift, const std::string& name, double deviation = 1) {
  Random random(7, name);
  Array x(count, shift);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(deviation * random.normal());
  return x;
}

// The largest error of each kernel and tier, printed at the end where SDFT_ERRORS is set: the table of
// docs/numerics.md.
inline std::map<std::string, std::map<Tier, double>>& largest_errors() {
  static std::map<std::string, std::map<Tier, double>> errors;
  return errors;
}

class EachTier : public ::testing::TestWithParam<Tier> {
 protected:
  void SetUp() override {
    k = kernels_of(GetParam());
    if (!k) GTEST_SKIP() << name_of(GetParam()) << " is not of this processor or build";
  }

  // |got - exact| in units of 2^-24 `scale`, where scale is the size of what was added up: 1 is one rounding.
  void check(const std::string& kernel, double got, double exact, double scale, double most,
             double unit = std::ldexp(1.0, -24)) {
    const double error = got == exact ? 0 : std::abs(got - exact) / (unit * scale);
    double& worst = largest_errors()[kernel][GetParam()];
    worst = std::max(worst, error);
    ASSERT_LE(error, most) << kernel << ": " << got << " for " << exact << ", scale " << scale;
  }

  const Kernels* k = nullptr;
};

}  // namespace sdft::testing

#define SDFT_EACH_TIER(suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(::sdft::testing::kernel_tiers()), \
                           ::sdft::testing::tier_name)
