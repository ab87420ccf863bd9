// Kernels over rows and single numbers, forward and backward, against the same formulas in f64.
#include "tensor/kernel_test.h"

namespace sdft {
namespace {
using testing::Array;
using testing::kShifts;
using testing::kSizes;
using testing::normal;

class RowKernels : public testing::EachTier {};

TEST_P(RowKernels, RmsNorm) {
  const int64_t rows = 3;
  const double eps = 1e-5;
  for (int64_t width : kSizes)
    for (int64_t shift : kShifts) {
      const Array x = normal(rows * width, shift, "x", 2), w = normal(width, (shift + 1) % 4, "w"),
                  dy = normal(rows * width, 0, "dy");
      Array y(rows * width, (shift + 3) % 4), rstd(rows, 1), dx(rows * width, shift), dw(width, 2, 0.5f);
      k->rms_norm(x.data(), w.data(), static_cast<float>(eps), rows, width, y.data(), rstd.data());
      k->rms_norm_backward(x.data(), w.data(), rstd.data(), dy.data(), rows, width, dx.data(), dw.data());
      std::vector<double> dw_exact(static_cast<size_t>(width), 0.5), dw_scale = dw_exact;
      for (int64_t r = 0; r < rows; ++r) {
        double squares = 0, dot = 0, dot_scale = 0;
        for (int64_t i = r * width; i < (r + 1) * width; ++i) {
          const double term = static_cast<double>(dy[i]) * w[i % width] * x[i];
          squares += static_cast<double>(x[i]) * x[i];
          dot += term;
          dot_scale += std::abs(term);
        }
        const auto n = static_cast<double>(width);
        const double scale = 1 / std::sqrt(squares / n + static_cast<double>(static_cast<float>(eps)));
        const double cubed = scale * scale * scale / n;
        check("rms_norm, rstd", rstd[r], scale, scale, 4);
        for (int64_t i = r * width; i < (r + 1) * width; ++i) {
          const double exact = x[i] * scale * w[i % width], direct = dy[i] * w[i % width] * scale;
          check("rms_norm", y[i], exact, std::abs(exact), 6);
          check("rms_norm_backward, dx", dx[i], direct - x[i] * dot * cubed,
                std::abs(direct) + std::abs(x[i]) * dot_scale * cubed, 7);
          dw_exact[static_cast<size_t>(i % width)] += dy[i] * x[i] * scale;
          dw_scale[static_cast<size_t>(i % width)] += std::abs(dy[i] * x[i] * scale);
        }
      }
      for (int64_t i = 0; i < width; ++i)
        check("rms_norm_backward, dw", dw[i], dw_exact[static_cast<size_t>(i)],
              dw_scale[static_cast<size_t>(i)], 5);
      Array again(rows * width, shift);
      k->rms_norm_backward(x.data(), w.data(), rstd.data(), dy.data(), rows, width, again.data(), nullptr);
      ASSERT_EQ(again.values(), dx.values());
    }
}

TEST_P(RowKernels, Swiglu) {
  const std::vector<float> extremes = {-1e4f,  -200,  -88, -87.3f, -1.2784645f, 0,
                                       1e-30f, 87.3f, 88,  200,    1e4f};
  for (int64_t count : kSizes)
    for (int64_t shift : kShifts) {
      Array gate = normal(count, shift, "gate", 4);
      const Array up = normal(count, (shift + 1) % 4, "up"), dy = normal(count, (shift + 2) % 4, "dy");
      for (size_t i = 0; count >= 100 && i < extremes.size(); ++i)
        gate[static_cast<int64_t>(i)] = extremes[i];
      Array y(count, 3), dgate(count, shift), dup(count, 1);
      k->swiglu(gate.data(), up.data(), count, y.data());
      k->swiglu_backward(gate.data(), up.data(), dy.data(), count, dgate.data(), dup.data());
      for (int64_t i = 0; i < count; ++i) {
        // The kernel's exponential stops at 87.3; below that a silu is -0 to all purposes.
        const double tiny = 1e-28;
        const double g = gate[i], sigmoid = 1 / (1 + std::exp(-g)), silu = g * sigmoid;
        const double slope = sigmoid + silu * (1 - sigmoid),
                     slope_scale = sigmoid + std::abs(silu) * (1 - sigmoid);
        check("swiglu", y[i], silu * up[i], std::abs(silu * up[i]) + tiny, 5);
        check("swiglu_backward, dgate", dgate[i], dy[i] * up[i] * slope,
              std::abs(dy[i] * up[i]) * slope_scale + tiny, 12);
        check("swiglu_backward, dup", dup[i], dy[i] * silu, std::abs(dy[i] * silu) + tiny, 5);
      }
    }
}

TEST_P(RowKernels, Rope) {
  const int64_t rows = 3;
  for (int64_t width : {2, 4, 6, 14, 30, 32, 34, 62, 64, 100, 128, 514})
    for (int64_t heads : {1, 3})
      for (int64_t shift : kShifts) {
        const int64_t half = width / 2, count = rows * heads * width;
        const Array x = normal(count, shift, "x"), angle = normal(rows * half, 0, "angle", 9);
        Array cos(rows * half, (shift + 1) % 4), sin(rows * half, (shift + 2) % 4), y(count, 3);
        for (int64_t i = 0; i < rows * half; ++i) cos[i] = std::cos(angle[i]), sin[i] = std::sin(angle[i]);
        for (const bool inverse : {false, true}) {
          k->rope(x.data(), cos.data(), sin.data(), rows, heads, width, inverse, y.data());
          for (int64_t i = 0; i < count; ++i) {
            const int64_t place = i % width, at = i / (heads * width) * half + place % half;
            const double c = cos[at], s = inverse ? -sin[at] : sin[at], here = x[i],
                         other = place < half ? -x[i + half] : x[i - half];
            check("rope", y[i], here * c + other * s, std::abs(here * c) + std::abs(other * s), 2);
          }
        }
        // In place, and there and back again.
        Array z(count, shift);
        std::copy_n(x.data(), count, z.data());
        k->rope(z.data(), cos.data(), sin.data(), rows, heads, width, true, z.data());
        ASSERT_EQ(z.values(), y.values());
        k->rope(z.data(), cos.data(), sin.data(), rows, heads, width, false, z.data());
        for (int64_t i = 0; i < count; ++i) ASSERT_NEAR(z[i], x[i], 1e-6 * (1 + std::abs(x[i])));
      }
}

// The mask is a matter of integers: the same in every tier, and in any pieces.
TEST_P(RowKernels, Dropout) {
  auto mix = [](uint32_t z) {
    z = (z ^ (z >> 16)) * 0x85ebca6bu;
    z = (z ^ (z >> 13)) * 0xc2b2ae35u;
    return z ^ (z >> 16);
  };
  const uint64_t key = 0x123456789abcdef0ull;
  const int64_t begin = 70000;
  for (const float p : {0.1f, 0.5f, 0.9f})
    for (int64_t count : kSizes)
      for (int64_t shift : kShifts) {
        const Array x = normal(count, shift, "x");
        Array y(count, (shift + 1) % 4), pieces(count, 0);
        k->dropout(x.data(), p, key, begin, count, y.data());
        const auto threshold = static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0);
        for (int64_t i = 0; i < count; ++i) {
          const uint32_t draw = mix(mix(static_cast<uint32_t>(begin + i) ^ static_cast<uint32_t>(key)) +
                                    static_cast<uint32_t>(key >> 32));
          ASSERT_EQ(y[i], draw >= threshold ? x[i] * (1.0f / (1.0f - p)) : 0.0f);
        }
        const int64_t half = count / 2;
        k->dropout(x.data(), p, key, begin, half, pieces.data());
        k->dropout(x.data() + half, p, key, begin + half, count - half, pieces.data() + half);
        ASSERT_EQ(pieces.values(), y.values());
      }
  const int64_t many = 100000;
  const Array ones(many, 0, 1.0f);
  Array y(many, 0);
  k->dropout(ones.data(), 0.1f, key, 0, many, y.data());
  const auto kept = many - std::count(y.data(), y.data() + many, 0.0f);
  EXPECT_NEAR(static_cast<double>(kept) / many, 0.9, 0.003);
}

TEST_P(RowKernels, CrossEntropy) {
  const int64_t rows = 4;
  std::vector<int64_t> sizes = kSizes;
  sizes.push_back(5000);
  for (const int64_t width : sizes)
    for (int64_t shift : kShifts) {
      Array logits = normal(rows * width, shift, "logits", 4);
      for (int64_t i = 0; i < width; ++i) logits[width + i] = 3;  // one row of equals, one of extremes
      for (int64_t i = 0; i < width; ++i)
        logits[2 * width + i] = i % 3 == 0 ? -INFINITY : i % 3 == 1 ? 1e4f : i % 2 ? -1e4f : 9990;
      logits[2 * width] = 9999;
      const std::vector<int64_t> targets = {0, width / 2, 0, width - 1};
      const Array weights = normal(rows, 1, "weights");
      Array losses(rows, 2), again(rows, 3), gradient(rows * width, (shift + 1) % 4);
      std::copy_n(logits.data(), logits.size(), gradient.data());
      const std::vector<float> before = logits.values();
      k->cross_entropy(logits.data(), targets.data(), nullptr, rows, width, false, losses.data());
      ASSERT_EQ(logits.values(), before);
      k->cross_entropy(gradient.data(), targets.data(), weights.data(), rows, width, true, again.data());
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = logits.data() + r * width;
        const double top = *std::max_element(row, row + width), target = row[targets[static_cast<size_t>(r)]];
        double sum = 0;
        for (int64_t i = 0; i < width; ++i) sum += std::exp(row[i] - top);
        const double loss = std::log(sum) + top - target, length = static_cast<double>(width) / 64;
        for (const Array* got : {&losses, &again})
          check("cross_entropy, loss", (*got)[r], loss,
                1 + std::abs(std::log(sum)) + std::abs(top) + std::abs(target) + length, 2);
        for (int64_t i = 0; i < width; ++i) {
          const double p = std::exp(row[i] - top) / sum, hit = i == targets[static_cast<size_t>(r)];
          // An exponent's own rounding grows with its size, that of the sum with its length; what lies 87
          // below the top counts as 1e-38.
          const double scale = p * (1 + std::min(87.0, top - row[i]) + length) + 1e-28;
          check("cross_entropy, gradient", gradient[r * width + i], weights[r] * (p - hit),
                std::abs(weights[r]) * (scale + hit), 5);
        }
      }
    }
}

TEST_P(RowKernels, AdamW) {
  const AdamWStep step{1e-3f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.271f, 0.002997f, 0.7f};
  for (int64_t count : kSizes)
    for (int64_t shift : kShifts) {
      const Array g = normal(count, shift, "g"), p0 = normal(count, 0, "p"), m0 = normal(count, 0, "m", 0.1);
      Array p(count, (shift + 1) % 4), m(count, (shift + 2) % 4), v(count, (shift + 3) % 4);
      const Array root = normal(count, 0, "v");
      for (int64_t i = 0; i < count; ++i) p[i] = p0[i], m[i] = m0[i], v[i] = root[i] * root[i];
      if (count > 2) v[1] = 0;  // a first step
      const std::vector<float> v0 = v.values();
      k->adamw(step, g.data(), count, p.data(), m.data(), v.data());
      for (int64_t i = 0; i < count; ++i) {
        const double gradient = static_cast<double>(g[i]) * step.gradient_scale, beta1 = step.beta1,
                     beta2 = step.beta2, second = v0[static_cast<size_t>(i)];
        const double m1 = m0[i] * beta1 + gradient * (1 - beta1),
                     v1 = second * beta2 + gradient * gradient * (1 - beta2);
        // 1 - beta2 is exact in f32, v's smallness is not lost.
        check("adamw, m", m[i], m1, std::abs(m0[i]) + std::abs(gradient), 1.5);
        check("adamw, v", v[i], v1, v1, 4);
        const double change =
            static_cast<double>(step.learning_rate) / step.correction1 * m1 /
            (std::sqrt(v1) / std::sqrt(static_cast<double>(step.correction2)) + step.epsilon);
        const double rate = static_cast<double>(step.learning_rate) * step.weight_decay;
        check("adamw, parameter", p[i], p0[i] * (1 - rate) - change, std::abs(p0[i]) + 10 * std::abs(change),
              3);
      }
    }
}

TEST_P(RowKernels, SumOfSquares) {
  std::vector<int64_t> sizes = kSizes;
  sizes.push_back(16384);
  for (int64_t count : sizes)
    for (int64_t shift : kShifts) {
      const Array x = normal(count, shift, "x", 1000);
      long double exact = 0;
      for (int64_t i = 0; i < count; ++i) exact += static_cast<long double>(x[i]) * x[i];
      const auto sum = static_cast<double>(exact);
      check("sum_of_squares (f64)", k->sum_of_squares(x.data(), count), sum, sum, 32, std::ldexp(1.0, -53));
    }
}

SDFT_EACH_TIER(RowKernels);

}  // namespace
}  // namespace sdft
