#include "tensor/kernels.h"

#include <dnnl.h>

#include <cmath>

#include "base/error.h"
#include "tensor/simd.h"

namespace sdft::kernels {

void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
          const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda,
                                    b, ldb, beta, c, ldc);
  if (status == dnnl_out_of_memory) throw memory_error();
  if (status != dnnl_success) throw Error(ExitCode::kInternal, "oneDNN sgemm failed");
}

SDFT_CLONES void rms_norm(const float* x, const float* w, float eps, int64_t rows, int64_t width, float* y,
                          float* rstd) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
    float scale = 1.0f / std::sqrt(sum / static_cast<float>(width) + eps);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * w[i];
    if (rstd) rstd[row] = scale;
  }
}

SDFT_CLONES void rms_norm_backward(const float* x, const float* w, const float* rstd, const float* dy,
                                   int64_t rows, int64_t width, float* dx, float* dw) {
  for (int64_t row = 0; row < rows; ++row, x += width, dy += width, dx += width) {
    float scale = rstd[row], dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; ++i) dot += dy[i] * w[i] * x[i];
    float shared = dot * scale * scale * scale / static_cast<float>(width);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) dx[i] = dy[i] * w[i] * scale - x[i] * shared;
    if (dw) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) dw[i] += dy[i] * x[i] * scale;
    }
  }
}

SDFT_CLONES void swiglu(const float* gate, const float* up, int64_t count, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

SDFT_CLONES void swiglu_backward(const float* gate, const float* up, const float* dy, int64_t count,
                                 float* dgate, float* dup) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    float sigmoid = 1.0f / (1.0f + fast_exp(-gate[i]));
    float silu = gate[i] * sigmoid;
    dgate[i] = dy[i] * up[i] * (sigmoid + silu * (1.0f - sigmoid));
    dup[i] = dy[i] * silu;
  }
}

SDFT_CLONES void rope(const float* x, const float* cos, const float* sin, int64_t rows, int64_t heads,
                      int64_t head_dim, bool inverse, float* y) {
  int64_t half = head_dim / 2;
  float sign = inverse ? -1.0f : 1.0f;
  for (int64_t row = 0; row < rows; ++row, cos += half, sin += half)
    for (int64_t head = 0; head < heads; ++head, x += head_dim, y += head_dim) {
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        float a = x[i], b = x[i + half], s = sign * sin[i];
        y[i] = a * cos[i] - b * s;
        y[i + half] = b * cos[i] + a * s;
      }
    }
}

SDFT_CLONES void cross_entropy(float* logits, const int64_t* targets, const float* weights, int64_t rows,
                               int64_t width, bool gradient, float* losses) {
  for (int64_t row = 0; row < rows; ++row, logits += width) {
    float top = logits[0];
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < width; ++i) top = logits[i] > top ? logits[i] : top;
    float sum = 0;
    float target = logits[targets[row]];
    if (gradient) {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < width; ++i) sum += logits[i] = fast_exp(logits[i] - top);
      float scale = weights[row] / sum;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) logits[i] *= scale;
      logits[targets[row]] -= weights[row];
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < width; ++i) sum += fast_exp(logits[i] - top);
    }
    losses[row] = std::log(sum) + top - target;
  }
}

static SDFT_INLINE uint32_t mix32(uint32_t z) {  // the finaliser of MurmurHash3
  z = (z ^ (z >> 16)) * 0x85ebca6bu;
  z = (z ^ (z >> 13)) * 0xc2b2ae35u;
  return z ^ (z >> 16);
}

SDFT_CLONES void dropout(const float* x, float p, uint64_t key, int64_t begin, int64_t count, float* y) {
  const uint32_t threshold = static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0);
  const uint32_t low = static_cast<uint32_t>(key), high = static_cast<uint32_t>(key >> 32);
  const float scale = 1.0f / (1.0f - p);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    uint32_t index = static_cast<uint32_t>(begin + i);
    uint32_t draw = mix32(mix32(index ^ low) + high);
    y[i] = draw >= threshold ? x[i] * scale : 0.0f;
  }
}

SDFT_CLONES void adamw(const AdamWStep& step, const float* gradient, int64_t count, float* parameter,
                       float* m, float* v) {
  const float decay = 1.0f - step.learning_rate * step.weight_decay;
  const float root_correction = std::sqrt(step.correction2);
  const float step_size = step.learning_rate / step.correction1;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    float g = gradient[i] * step.gradient_scale;
    m[i] = m[i] + (g - m[i]) * (1.0f - step.beta1);
    v[i] = v[i] * step.beta2 + g * g * (1.0f - step.beta2);
    float denominator = std::sqrt(v[i]) / root_correction + step.epsilon;
    parameter[i] = parameter[i] * decay - step_size * (m[i] / denominator);
  }
}

SDFT_CLONES double sum_of_squares(const float* x, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

}  // namespace sdft::kernels
