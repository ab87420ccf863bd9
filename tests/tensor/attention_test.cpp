// The attention kernels, forward and backward, against softmax(scale Q K^T) V written out in f64.
#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::normal;

struct Case {
  int64_t q_len, kv_len, width, kv_heads, group, window;
  float softcap;
  bool cached;  // keys [Hkv, T, D] as a cache has them, else [T, Hkv, D]
  int64_t shift = 0;
};

// What a case computes with; q, out and their gradients have two more rows before the segment's.
struct Inputs {
  explicit Inputs(const Case& c)
      : rows(c.q_len + kBefore),
        heads(c.kv_heads * c.group),
        q(normal(rows * heads * c.width, c.shift, "q")),
        k(normal(c.kv_len * c.kv_heads * c.width, (c.shift + 1) % 4, "k")),
        v(normal(c.kv_len * c.kv_heads * c.width, (c.shift + 2) % 4, "v")),
        dout(normal(rows * heads * c.width, (c.shift + 3) % 4, "dout")) {
    shape = {heads,
             c.kv_heads,
             c.width,
             c.cached ? c.width : c.kv_heads * c.width,
             c.cached ? c.kv_len * c.width : c.width,
             c.window,
             0.3f,
             c.softcap};
  }
  static constexpr int64_t kBefore = 2;
  int64_t rows, heads;
  Array q, k, v, dout;
  AttentionShape shape{};
};

// Exact results and the sizes of what they are sums of.
struct Reference {
  std::vector<double> out, out_scale, lse, lse_scale, dq, dq_scale, dk, dk_scale, dv, dv_scale;
};

// One query row of one head.
void add_row(const Case& c, const Inputs& x, int64_t row, int64_t head, Reference& r) {
  const int64_t width = c.width, kv_head = head / c.group, i = row - Inputs::kBefore;
  const int64_t end = c.kv_len - c.q_len + i + 1,
                begin = c.window > 0 ? std::max<int64_t>(0, end - c.window) : 0;
  const int64_t at = (row * x.heads + head) * width;
  auto key = [&](int64_t j) { return j * x.shape.token_stride + kv_head * x.shape.head_stride; };
  auto dot = [&](const Array& a, int64_t from, const Array& b, int64_t to, bool absolute) {
    double sum = 0;
    for (int64_t d = 0; d < width; ++d) {
      const double term = static_cast<double>(a[from + d]) * b[to + d];
      sum += absolute ? std::abs(term) : term;
    }
    return sum;
  };
  const double scale = x.shape.scale, cap = c.softcap;
  std::vector<double> p(static_cast<size_t>(end)), slope(p.size(), 1.0);
  double top = -INFINITY, sum = 0, delta = 0, delta_scale = 0;
  double size = 1;  // of a score's terms: an error of the score is a relative one of its weight
  for (int64_t j = begin; j < end; ++j) {
    double& score = p[static_cast<size_t>(j)];
    score = dot(x.q, at, x.k, key(j), false) * scale;
    if (cap > 0) {
      const double t = std::tanh(score / cap);
      score = cap * t;
      slope[static_cast<size_t>(j)] = 1 - t * t;
    }
    top = std::max(top, score);
    size = std::max(size, 1 + scale * dot(x.q, at, x.k, key(j), true));
  }
  for (int64_t j = begin; j < end; ++j)
    sum += p[static_cast<size_t>(j)] = std::exp(p[static_cast<size_t>(j)] - top);
  r.lse[static_cast<size_t>(row * x.heads + head)] = top + std::log(sum);
  size = std::max(size, 1 + std::abs(top + std::log(sum)));  // what the backward pass subtracts
  r.lse_scale[static_cast<size_t>(row * x.heads + head)] = size;
  for (int64_t j = begin; j < end; ++j) {
    double& weight = p[static_cast<size_t>(j)];
    weight /= sum;
    delta += weight * dot(x.dout, at, x.v, key(j), false);
    delta_scale += weight * dot(x.dout, at, x.v, key(j), true);
    for (int64_t d = 0; d < width; ++d) {
      const auto to = static_cast<size_t>(at + d), key_to = static_cast<size_t>(key(j) + d);
      r.out[to] += weight * x.v[key(j) + d];
      r.out_scale[to] += weight * size * std::abs(x.v[key(j) + d]);
      r.dv[key_to] += weight * x.dout[at + d];
      r.dv_scale[key_to] += weight * size * std::abs(x.dout[at + d]);
    }
  }
  for (int64_t j = begin; j < end; ++j) {
    const double factor = p[static_cast<size_t>(j)] * scale * slope[static_cast<size_t>(j)];
    const double ds = factor * (dot(x.dout, at, x.v, key(j), false) - delta);
    const double ds_scale = factor * size * (dot(x.dout, at, x.v, key(j), true) + delta_scale);
    for (int64_t d = 0; d < width; ++d) {
      const auto to = static_cast<size_t>(at + d), key_to = static_cast<size_t>(key(j) + d);
      r.dq[to] += ds * x.k[key(j) + d];
      r.dq_scale[to] += ds_scale * std::abs(x.k[key(j) + d]);
      r.dk[key_to] += ds * x.q[at + d];
      r.dk_scale[key_to] += ds_scale * std::abs(x.q[at + d]);
    }
  }
}

Reference reference(const Case& c, const Inputs& x) {
  Reference r;
  for (auto* part : {&r.out, &r.out_scale, &r.dq, &r.dq_scale}) part->resize(static_cast<size_t>(x.q.size()));
  for (auto* part : {&r.dk, &r.dk_scale, &r.dv, &r.dv_scale}) part->resize(static_cast<size_t>(x.k.size()));
  for (auto* part : {&r.lse, &r.lse_scale}) part->resize(static_cast<size_t>(x.rows * x.heads));
  for (int64_t row = Inputs::kBefore; row < x.rows; ++row)
    for (int64_t head = 0; head < x.heads; ++head) add_row(c, x, row, head, r);
  return r;
}

class AttentionKernels : public testing::EachTier {
 protected:
  void expect_all(const std::string& name, const Array& got, const std::vector<double>& exact,
                  const std::vector<double>& scale, double most) {
    for (int64_t i = 0; i < got.size(); ++i)
      check(name, got[i], exact[static_cast<size_t>(i)], scale[static_cast<size_t>(i)], most);
  }

  void run(const Case& c) {
    SCOPED_TRACE(fmt::format("q {} kv {} D {} Hkv {} group {} window {} cap {} {} shift {}", c.q_len,
                             c.kv_len, c.width, c.kv_heads, c.group, c.window, c.softcap,
                             c.cached ? "cached" : "packed", c.shift));
    const Inputs x(c);
    const Reference r = reference(c, x);
    Array out(x.q.size(), c.shift), lse(x.rows * x.heads, 1), dq(x.q.size(), 2), dk(x.k.size(), 3),
        dv(x.k.size(), c.shift);
    const AttentionSegment segment{Inputs::kBefore, c.q_len,   x.k.data(), x.v.data(),
                                   c.kv_len,        dk.data(), dv.data()};
    for (int64_t head = 0; head < c.kv_heads; ++head)
      k->attention(x.shape, segment, head, x.q.data(), out.data(), lse.data());
    expect_all("attention", out, r.out, r.out_scale, 4);
    expect_all("attention, logsumexp", lse, r.lse, r.lse_scale, 4);
    for (int64_t head = 0; head < c.kv_heads; ++head)
      k->attention_backward(x.shape, segment, head, x.q.data(), out.data(), lse.data(), x.dout.data(),
                            dq.data());
    expect_all("attention_backward, dq", dq, r.dq, r.dq_scale, 2);
    expect_all("attention_backward, dk", dk, r.dk, r.dk_scale, 2);
    expect_all("attention_backward, dv", dv, r.dv, r.dv_scale, 4);
  }
};

TEST_P(AttentionKernels, WidthsAndLengths) {
  for (int64_t width : {1, 4, 7, 16, 30, 33, 64, 80, 128})
    for (int64_t length : {1, 2, 3, 7, 17, 31, 33, 64, 70})
      run({length, length, width, 1, 1, 0, 0, false, length % 4});
}

TEST_P(AttentionKernels, WindowsCapsAndSharedKeys) {
  for (int64_t window : {0, 1, 5, 40})
    for (const float cap : {0.0f, 2.0f, 50.0f})
      for (int64_t group : {1, 3})
        for (const bool cached : {false, true}) run({35, 35, 18, 2, group, window, cap, cached, 1});
}

TEST_P(AttentionKernels, NewestTokensOfALongerSequence) {
  for (int64_t q_len : {1, 2, 33})
    for (int64_t kv_len : {33, 40, 257})
      for (int64_t window : {0, 9})
        for (const float cap : {0.0f, 5.0f})
          for (int64_t shift : testing::kShifts)
            if (q_len <= kv_len) run({q_len, kv_len, 20, 2, 2, window, cap, true, shift});
}

// Scores of some thousands: all weight on one key, no overflow.
TEST_P(AttentionKernels, ExtremeScores) {
  Case c{17, 17, 8, 1, 1, 0, 0, false};
  Inputs x(c);
  for (int64_t i = 0; i < x.q.size(); ++i) x.q[i] *= 1000;
  Array out(x.q.size(), 0), lse(x.rows * x.heads, 0);
  const AttentionSegment segment{Inputs::kBefore, c.q_len, x.k.data(), x.v.data(), c.kv_len};
  k->attention(x.shape, segment, 0, x.q.data(), out.data(), lse.data());
  const Reference r = reference(c, x);
  for (int64_t i = 0; i < out.size(); ++i)
    ASSERT_NEAR(out[i], r.out[static_cast<size_t>(i)], 1e-3) << i;  // a score's own rounding is 1e-4 here
  for (int64_t i = 0; i < lse.size(); ++i)
    ASSERT_NEAR(lse[i], r.lse[static_cast<size_t>(i)], 1e-6 * (1 + std::abs(r.lse[static_cast<size_t>(i)])));
}

// Of attention beside keys and values in bf16, by multiply-adds and, where the tier has them, by pairs.
class Bf16AttentionKernels : public AttentionKernels {
 protected:
  std::vector<std::pair<std::string, Bf16Attention>> ways() const {
    std::vector<std::pair<std::string, Bf16Attention>> all = {
        {"attention_bf16_wide", k->attention_bf16_wide}};
    if (k->attention_bf16.forward) all.emplace_back("attention_bf16", k->attention_bf16);
    return all;
  }
  // Values become such numbers.
  std::vector<uint16_t> narrow(Array& values) const {
    std::vector<uint16_t> bits(static_cast<size_t>(values.size()));
    k->round_bf16(values.data(), values.size(), bits.data());
    k->widen_bf16(bits.data(), values.size(), values.data());
    return bits;
  }
};

// Of rounded numbers results and gradients are the exact ones, up to the rounding of weights (and of their
// gradients), 2^-8 of what is added up.
TEST_P(Bf16AttentionKernels, KeysAndValuesOf16Bits) {
  constexpr double kMost = 1 << 16;  // units of 2^-24
  for (const auto& [name, way] : ways())
    for (const bool cached : {false, true})
      for (const int64_t q_len : {1, 2, 33, 41})
        for (const int64_t width : {7, 20, 64, 96})
          for (const int64_t group : {1, 2, 3, 7})
            for (const float cap : {0.0f, 3.0f}) {
              const int64_t window = q_len == 33 ? 10 : 0;
              const Case c{q_len, 41, width, 2, group, window, cap, cached};
              SCOPED_TRACE(fmt::format("{}: q {} D {} group {} cap {}", name, q_len, width, group, cap));
              Inputs x(c);
              const auto keys = narrow(x.k), values = narrow(x.v);
              narrow(x.q);
              narrow(x.dout);
              const Reference r = reference(c, x);
              Array out(x.q.size(), 0), lse(x.rows * x.heads, 1), dq(x.q.size(), 2), dk(x.k.size(), 3),
                  dv(x.k.size(), 0);
              const AttentionSegment segment{Inputs::kBefore, q_len,     keys.data(), values.data(),
                                             c.kv_len,        dk.data(), dv.data()};
              for (int64_t head = 0; head < 2; ++head)
                way.forward(x.shape, segment, head, x.q.data(), out.data(), lse.data());
              expect_all(name, out, r.out, r.out_scale, kMost);
              expect_all(name + ", logsumexp", lse, r.lse, r.lse_scale, 4);
              for (int64_t head = 0; head < 2; ++head)
                way.backward(x.shape, segment, head, x.q.data(), out.data(), lse.data(), x.dout.data(),
                             dq.data());
              expect_all(name + "_backward, dq", dq, r.dq, r.dq_scale, kMost);
              expect_all(name + "_backward, dk", dk, r.dk, r.dk_scale, kMost);
              expect_all(name + "_backward, dv", dv, r.dv, r.dv_scale, kMost);
            }
}

// A query's row has the same bits whatever rows stand beside it: prompts may be taken in pieces.
TEST_P(Bf16AttentionKernels, RowsDoNotDependOnTheirBlock) {
  for (const auto& [name, way] : ways()) {
    const Case c{70, 70, 64, 2, 3, 0, 0, true};
    Inputs x(c);
    const auto keys = narrow(x.k), values = narrow(x.v);
    Array whole(x.q.size(), 0), pieces(x.q.size(), 0);
    for (int64_t head = 0; head < 2; ++head) {
      way.forward(x.shape, {Inputs::kBefore, 70, keys.data(), values.data(), 70}, head, x.q.data(),
                  whole.data(), nullptr);
      int64_t begin = 0;
      for (const int64_t length : {2, 33, 5, 30}) {
        way.forward(x.shape, {Inputs::kBefore + begin, length, keys.data(), values.data(), begin + length},
                    head, x.q.data(), pieces.data(), nullptr);
        begin += length;
      }
    }
    EXPECT_EQ(whole.values(), pieces.values()) << name;
  }
}

SDFT_EACH_TIER(Bf16AttentionKernels);
SDFT_EACH_TIER(AttentionKernels);

}  // namespace
}  // namespace sdft
