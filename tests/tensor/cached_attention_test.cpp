// The two ways of attention against a cache must agree: kernels (f32 on the CPU), and ATen operations over
// all segments at once (everything else, here f64).
#include <gtest/gtest.h>

#include "base/random.h"
#include "tensor/ops.h"

namespace sdft {
namespace {
using ops::CacheSegment;

Tensor random_tensor(const std::vector<int64_t>& shape, uint64_t seed) {
  Random random(seed, "tensor");
  Tensor x = at::empty(shape, at::kFloat);
  for (float *p = x.data_ptr<float>(), *end = p + x.numel(); p != end; ++p)
    *p = static_cast<float>(random.normal());
  return x;
}

TEST(CachedAttention, KernelsAndComposedOperationsAgree) {
  set_num_threads(0);
  const std::vector<std::vector<CacheSegment>> cases = {
      {{1, 0, 1}},                                                 // one token of one sequence
      {{1, 2, 30}, {1, 3, 7}, {1, 4, 19}},                         // side by side
      {{1, 4, 12}, {1, 0, 40}, {1, 2, 5}},                         // gathered
      {{1, 1, 33}, {1, 5, 2}, {6, 0, 6}, {3, 2, 20}, {1, 3, 40}},  // prompts between
      {{7, 3, 19}},                                                // a prompt's later piece
  };
  for (int64_t width : {4, 16, 30, 32, 80})
    for (int64_t kv_heads : {1, 2, 6})
      for (int64_t window : {0, 9})
        for (const auto& segments : cases) {
          int64_t tokens = 0;
          for (const CacheSegment& s : segments) tokens += s.q_len;
          Tensor keys = random_tensor({6, kv_heads, 48, width}, 1),
                 values = random_tensor({6, kv_heads, 48, width}, 2);
          Tensor wide_keys = keys.to(at::kDouble), wide_values = values.to(at::kDouble);
          const Tensor q = random_tensor({tokens, 6, width}, 3);
          const Tensor k = random_tensor({tokens, kv_heads, width}, 4),
                       v = random_tensor({tokens, kv_heads, width}, 5);
          const ops::AttentionOptions options{0.3, window};
          ops::append_to_cache(k, v, segments, keys, values);
          ops::append_to_cache(k.to(at::kDouble), v.to(at::kDouble), segments, wide_keys, wide_values);
          EXPECT_TRUE(at::equal(keys.to(at::kDouble), wide_keys));
          EXPECT_TRUE(at::equal(values.to(at::kDouble), wide_values));
          const Tensor fast = ops::attention_cached(q, keys, values, segments, options);
          const Tensor composed =
              ops::attention_cached(q.to(at::kDouble), wide_keys, wide_values, segments, options);
          ASSERT_TRUE(at::allclose(fast.to(at::kDouble), composed, 1e-5, 1e-5))
              << "D " << width << " Hkv " << kv_heads << " window " << window << " segments "
              << segments.size();
        }
}

TEST(Linear, EachRowIsComputedAsIfAlone) {
  at::NoGradGuard no_grad;
  const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1},   {7, 3},     {24, 61},
                                                           {513, 5}, {1030, 18}, {32, 224}};
  for (const auto& [k, n] : shapes) {
    const Tensor x = random_tensor({23, k}, 6), weight = random_tensor({n, k}, 7),
                 bias = random_tensor({n}, 8);
    const Tensor all = ops::linear(x, weight, bias);
    EXPECT_TRUE(at::allclose(all, at::linear(x, weight, bias), 1e-5, 1e-4)) << k << ' ' << n;
    for (int64_t rows : {1, 2, 3, 5, 11})
      for (int64_t begin = 0; begin + rows <= 23; begin += 6)
        EXPECT_TRUE(
            at::equal(ops::linear(x.narrow(0, begin, rows), weight, bias), all.narrow(0, begin, rows)));
    const Tensor sum = random_tensor({23, n}, 9);
    EXPECT_TRUE(at::allclose(ops::add_linear(sum.clone(), x, weight, bias), sum + all, 1e-5, 1e-4));
  }
}

}  // namespace
}  // namespace sdft
