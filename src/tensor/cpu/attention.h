// Causal attention for one sequence and one key/value head, in blocks of query rows so that scores stay in
// the cache (the idea of FlashAttention, Dao et al. 2022; probabilities are recomputed in the backward pass
// from logsumexp).
#pragma once

#include "tensor/cpu/attention_products.h"
#include "tensor/cpu/exp.h"
#if SDFT_AVX512_BF16
#include "tensor/cpu/attention_dot.h"
#include "tensor/cpu/attention_pairs.h"
#endif
#if SDFT_AMX
#include "tensor/cpu/attention_tiles.h"
#endif

namespace sdft::cpu {
namespace {

constexpr int64_t kQueryRows = 32;  // at a time
// First and last + 1 key that query row i (of q_len) sees.
SDFT_INLINE int64_t key_end(const AttentionSegment& s, int64_t i) { return s.kv_len - s.q_len + i + 1; }
SDFT_INLINE int64_t key_begin(const AttentionShape& shape, const AttentionSegment& s, int64_t i) {
  return shape.window > 0 ? std::max<int64_t>(0, key_end(s, i) - shape.window) : 0;
}

// Scores become scaled ones, soft-capped where a cap is set; what is returned is their scale from then on.
SDFT_INLINE float cap_scores(const AttentionShape& shape, float* scores, int64_t begin, int64_t end) {
  if (shape.softcap <= 0) return shape.scale;
  const float factor = shape.scale / shape.softcap;
  for (int64_t j = begin; j < end; ++j) scores[j] = shape.softcap * std::tanh(scores[j] * factor);
  return 1.0f;
}

// scores[j] for j in [begin, end) becomes exp(scale * score - shift); outside, up to `limit`, zero.
SDFT_INLINE float exponentiate(float* scores, int64_t begin, int64_t end, int64_t limit, float scale,
                               float shift) {
  float sum = 0;
  for (int64_t j = 0; j < begin; ++j) scores[j] = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = begin; j < end; ++j) sum += scores[j] = fast_exp(scores[j] * scale - shift);
  for (int64_t j = end; j < limit; ++j) scores[j] = 0;
  return sum;
}

// y[n] = sum_j p[j] x[j][n], four rows of x at a time so that sums do not wait for one another.
template <int kWide, typename T>
SDFT_INLINE int64_t weigh_columns(const float* p, const T* x, int64_t stride, int64_t begin, int64_t end,
                                  int64_t at, int64_t width, float factor, float* y) {
  for (; at + kWide * kKeyLanes <= width; at += kWide * kKeyLanes) {
    KeyVector sum[4][kWide] = {};
    const T* column = x + at;
    int64_t j = begin;
    for (; j + 4 <= end; j += 4)
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i)
#pragma GCC unroll 2
        for (int l = 0; l < kWide; ++l)
          sum[i][l] += p[j + i] * load<KeyVector, kKeyLanes>(column + (j + i) * stride + l * kKeyLanes);
    for (; j < end; ++j)
#pragma GCC unroll 2
      for (int l = 0; l < kWide; ++l)
        sum[0][l] += p[j] * load<KeyVector, kKeyLanes>(column + j * stride + l * kKeyLanes);
    for (int l = 0; l < kWide; ++l)
      *reinterpret_cast<KeyVector*>(y + at + l * kKeyLanes) =
          ((sum[0][l] + sum[1][l]) + (sum[2][l] + sum[3][l])) * factor;
  }
  return at;
}

template <typename T>
SDFT_INLINE void weigh(const float* p, const T* x, int64_t stride, int64_t begin, int64_t end, int64_t width,
                       float factor, float* y) {
  int64_t at = weigh_columns<2>(p, x, stride, begin, end, 0, width, factor, y);
  at = weigh_columns<1>(p, x, stride, begin, end, at, width, factor, y);
  if (at == width) return;
  std::fill(y + at, y + width, 0.0f);
  for (int64_t j = begin; j < end; ++j)
    for (int64_t n = at; n < width; ++n) y[n] += p[j] * widen(x[j * stride + n]);
  for (int64_t n = at; n < width; ++n) y[n] *= factor;
}

// --- One query row, for decoding: keys and values as they lie, no transposed copy. Beside numbers in bf16
// queries and probabilities are rounded, too, in each tier alike.

// What a head's newest token sees: keys and values [begin, end), rows `stride` apart. next: the keys that are
// read after them, null where that is not known.
template <typename T>
struct SeenRows {
  const T *keys, *values, *next;
  int64_t stride, begin, end;
};

// scores[i][j], rows of `end`, of the `rows` heads' queries q [rows, width] with the keys.
SDFT_INLINE void score_keys(const float* q, int64_t rows, int64_t width, const SeenRows<float>& seen,
                            float* scores) {
  multiply<float>({q, seen.keys, rows, width, width, seen.stride, seen.end, false, scores}, seen.begin,
                  seen.end);
}

// y[i] = factor[i] sum_j p[i][j] values[j]; rows of p lie `end` apart.
SDFT_INLINE void weigh_values(const float* p, int64_t rows, int64_t width, const SeenRows<float>& seen,
                              const float* factor, float* y) {
  for (int64_t i = 0; i < rows; ++i)
    weigh(p + i * seen.end, seen.values, seen.stride, seen.begin, seen.end, width, factor[i], y + i * width);
}

#if SDFT_AVX512_BF16
SDFT_INLINE void score_keys(const float* q, int64_t rows, int64_t width, const SeenRows<Bf16>& seen,
                            float* scores) {
  auto* packed = reinterpret_cast<uint16_t*>(scratch(1, static_cast<size_t>(rows * whole_registers(width))));
  pack_rows_dot(q, width, rows, width, packed);
  score_rows(packed, rows, width, &seen.keys->bits, &seen.values->bits, seen.stride, seen.begin, seen.end,
             scores);
}

SDFT_INLINE void weigh_values(const float* p, int64_t rows, int64_t width, const SeenRows<Bf16>& seen,
                              const float* factor, float* y) {
  const int64_t count = seen.end - seen.begin, ld = whole_registers(count);
  auto* packed = reinterpret_cast<uint16_t*>(scratch(1, static_cast<size_t>(rows * ld)));
  pack_rows_dot(p + seen.begin, seen.end, rows, count, packed);
  const uint16_t *first = &seen.values[seen.begin * seen.stride].bits,
                 *next = seen.next ? &seen.next[seen.begin * seen.stride].bits : nullptr;
  int64_t i = 0;
  const auto weigh_some = [&](auto some) SDFT_LAMBDA_INLINE {
    constexpr int kRows = decltype(some)::value;
    weigh_rows<kRows>(packed + i * ld, ld, first, seen.stride, count, width, next, factor + i, y + i * width,
                      width);
    i += kRows;
  };
  while (i + 4 <= rows) weigh_some(std::integral_constant<int, 4>());
  if (i + 3 == rows) weigh_some(std::integral_constant<int, 3>());
  if (i + 2 == rows) weigh_some(std::integral_constant<int, 2>());
  if (i < rows) weigh_some(std::integral_constant<int, 1>());
}
#else
SDFT_INLINE void score_keys(const float* q, int64_t rows, int64_t width, const SeenRows<Bf16>& seen,
                            float* scores) {
  float* rounded = scratch(1, static_cast<size_t>(rows * width));
  round_each(q, rows * width, rounded);
  multiply<Bf16>({rounded, seen.keys, rows, width, width, seen.stride, seen.end, false, scores}, seen.begin,
                 seen.end);
}

SDFT_INLINE void weigh_values(const float* p, int64_t rows, int64_t width, const SeenRows<Bf16>& seen,
                              const float* factor, float* y) {
  const int64_t count = seen.end - seen.begin;
  float* rounded = scratch(1, static_cast<size_t>(seen.end));
  for (int64_t i = 0; i < rows; ++i) {
    round_each(p + i * seen.end + seen.begin, count, rounded + seen.begin);
    weigh(rounded, seen.values, seen.stride, seen.begin, seen.end, width, factor[i], y + i * width);
  }
}
#endif

// All heads that share the keys.
template <typename T>
void attention_row(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head, const float* q,
                   float* out, float* lse) {
  const int64_t width = shape.head_dim, begin = key_begin(shape, s, s.q_len - 1), end = s.kv_len;
  const int64_t group = shape.heads / shape.kv_heads, first = s.q_begin * shape.heads + kv_head * group;
  const T* keys = static_cast<const T*>(s.k) + kv_head * shape.head_stride;
  const SeenRows<T> seen{
      keys,
      static_cast<const T*>(s.v) + kv_head * shape.head_stride,
      kv_head + 1 < shape.kv_heads ? keys + shape.head_stride : static_cast<const T*>(s.next_k),
      shape.token_stride,
      begin,
      end};
  float* scores = scratch(0, static_cast<size_t>(group * (end + 1)));
  float* factors = scores + group * end;
  score_keys(q + first * width, group, width, seen, scores);
  for (int64_t i = 0; i < group; ++i) {
    float* row = scores + i * end;
    const float scale = cap_scores(shape, row, begin, end);
    float top = row[begin];
#pragma omp simd reduction(max : top)
    for (int64_t j = begin; j < end; ++j) top = row[j] > top ? row[j] : top;
    const float sum = exponentiate(row, begin, end, end, scale, top * scale);
    factors[i] = 1.0f / sum;
    if (lse) lse[first + i] = top * scale + std::log(sum);
  }
  weigh_values(scores, group, width, seen, factors, out + first * width);
}

template <typename Products>
void attention_blocks(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head, const float* q,
                      float* out, float* lse) {
  const int64_t width = shape.head_dim, group = shape.heads / shape.kv_heads, stride = shape.heads * width;
  const Products products(shape, s, kv_head, Direction::kForward);
  float* scores = scratch(1, static_cast<size_t>(kQueryRows * products.ld()));
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
    for (int64_t i0 = 0; i0 < s.q_len; i0 += kQueryRows) {
      const int64_t rows = std::min(kQueryRows, s.q_len - i0), limit = key_end(s, i0 + rows - 1);
      const int64_t first = (s.q_begin + i0) * stride + head * width;
      products.multiply_keys({q + first, stride, rows}, limit, scores);
      for (int64_t i = 0; i < rows; ++i) {
        float* row = scores + i * products.ld();
        const int64_t begin = key_begin(shape, s, i0 + i), end = key_end(s, i0 + i);
        const float scale = cap_scores(shape, row, begin, end);
        float top = row[begin];
#pragma omp simd reduction(max : top)
        for (int64_t j = begin; j < end; ++j) top = row[j] > top ? row[j] : top;
        float sum = exponentiate(row, begin, end, limit, scale, top * scale);
        float inverse = 1.0f / sum;
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) row[j] = Products::factor(row[j] * inverse);
        if (lse) lse[(s.q_begin + i0 + i) * shape.heads + head] = top * scale + std::log(sum);
      }
      products.weigh(scores, rows, limit, out + first, stride);
    }
}

template <typename T, typename Products = BlockProducts<T>>
void attention(const AttentionShape& shape, const AttentionSegment& segment, int64_t kv_head, const float* q,
               float* out, float* lse) {
  if (segment.q_len > 1) return attention_blocks<Products>(shape, segment, kv_head, q, out, lse);
  attention_row<T>(shape, segment, kv_head, q, out, lse);
}

// With P = softmax(scale Q K^T), O = P V: dV = P^T dO, dP = dO V^T, dS = scale P (dP - rowsum(dO O)), dQ = dS
// K, dK = dS^T Q.
template <typename Products>
void attention_backward(const AttentionShape& shape, const AttentionSegment& s, int64_t kv_head,
                        const float* q, const float* out, const float* lse, const float* dout, float* dq) {
  const int64_t width = shape.head_dim, group = shape.heads / shape.kv_heads, stride = shape.heads * width,
                offset = kv_head * shape.head_stride;
  const Products products(shape, s, kv_head, Direction::kBackward);
  const int64_t ld = products.ld();
  float* p = scratch(1, static_cast<size_t>(kQueryRows * ld));
  float* ds = scratch(2, static_cast<size_t>(kQueryRows * ld));
  float* slope = scratch(3, static_cast<size_t>(ld));
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
    for (int64_t i0 = 0; i0 < s.q_len; i0 += kQueryRows) {
      const int64_t rows = std::min(kQueryRows, s.q_len - i0), limit = key_end(s, i0 + rows - 1);
      const int64_t first = (s.q_begin + i0) * stride + head * width;
      const QueryRows queries{q + first, stride, rows}, gradients{dout + first, stride, rows};
      products.multiply_keys(queries, limit, p);
      products.multiply_values(gradients, limit, ds);
      for (int64_t i = 0; i < rows; ++i) {
        float* prow = p + i * ld;
        const int64_t begin = key_begin(shape, s, i0 + i), end = key_end(s, i0 + i);
        const float scale = cap_scores(shape, prow, begin, end);
        if (shape.softcap > 0)  // the slope of tanh, needed once the scores are gone
          for (int64_t j = begin; j < end; ++j) {
            const float t = prow[j] / shape.softcap;
            slope[j] = 1 - t * t;
          }
        exponentiate(prow, begin, end, limit, scale, lse[(s.q_begin + i0 + i) * shape.heads + head]);
        const float* o = out + first + i * stride;
        const float* g = dout + first + i * stride;
        float delta = 0;
#pragma omp simd reduction(+ : delta)
        for (int64_t d = 0; d < width; ++d) delta += o[d] * g[d];
        float* dsrow = ds + i * ld;
#pragma omp simd
        for (int64_t j = 0; j < limit; ++j) dsrow[j] = prow[j] * (dsrow[j] - delta) * shape.scale;
        if (shape.softcap > 0)
          for (int64_t j = begin; j < end; ++j) dsrow[j] *= slope[j];
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) {
          prow[j] = Products::factor(prow[j]);
          dsrow[j] = Products::factor(dsrow[j]);
        }
      }
      products.weigh(ds, rows, limit, dq + first, stride);
      products.add_transposed(ds, limit, queries, s.dk + offset, shape.token_stride);
      products.add_transposed(p, limit, gradients, s.dv + offset, shape.token_stride);
    }
}

}  // namespace
}  // namespace sdft::cpu
