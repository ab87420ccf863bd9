// Kernels on plain f32 arrays for CPUs: one function does a range of rows, so that the caller decides on
// threads. Row-major throughout; no array need be aligned beyond its numbers. The sources (cpu/*.h, an
// operation a file) are compiled once for each tier.
#pragma once

#include <cstdint>

#include "tensor/cpu/tier.h"

namespace sdft {

// Of one AdamW step (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it.
struct AdamWStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2;  // 1 - beta^t
  float gradient_scale;            // clipping
};

// One sequence's attention. Queries are the last q_len of kv_len positions, so query i sees keys 0 ..
// kv_len-q_len+i, and with window > 0 only the last `window` of these.
struct AttentionSegment {
  int64_t q_begin;  // first row in q
  int64_t q_len;
  const void* k;  // first key of head 0, f32 or, for Bf16Attention, bf16
  const void* v;
  int64_t kv_len;
  float* dk = nullptr;  // added to, in the layout of k
  float* dv = nullptr;
  const void* next_k = nullptr;  // of the segment after this one: memory is asked for it ahead
};
struct AttentionShape {
  int64_t heads, kv_heads, head_dim;
  int64_t token_stride, head_stride;  // of k, v, dk, dv
  int64_t window;                     // 0: all
  float scale;
  float softcap;  // scores become cap tanh(scale score / cap); 0: scale score
};

// Products of numbers rounded to bf16, summed in f32. The activations are rounded and laid out once
// ("packed"), for all threads; weights are read as they lie in memory. Each element is summed in an order of
// its own, as that of Kernels::linear.
struct Bf16Products {
  int64_t number_bytes;  // of a packed one
  int64_t few_rows;      // of which multiply wants what pack makes; of more, what pack_back makes
  // Rows [0, rows) of x. A packed row takes packed_width(k) numbers; packing may be divided at multiples of
  // kPackedRows, and room is needed for as many rows as a multiple of it. pack: see few_rows, pack_back: for
  // multiply_back.
  void (*pack)(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed);
  void (*pack_back)(const float* x, int64_t ldx, int64_t rows, int64_t k, void* packed);
  // Columns [begin, end) of C[rows, N] = A[rows, k] W[N, k]^T (+ C with `add`).
  void (*multiply)(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t begin,
                   int64_t end, int64_t k, bool add, float* c, int64_t ldc);
  // Columns [begin, end) of C[rows, K] = A[rows, n] W[n, K] (+ C with `add`): the gradient of its input.
  void (*multiply_back)(const void* packed, int64_t rows, const uint16_t* w, int64_t ldw, int64_t n,
                        int64_t begin, int64_t end, bool add, float* c, int64_t ldc);

  auto pack_of(int64_t rows) const { return rows <= few_rows ? pack : pack_back; }
};
inline constexpr int64_t kPackedRows = 16;
inline int64_t packed_width(int64_t k) { return (k + 31) / 32 * 32; }

// A number for each block of a matrix of few bits, in f32 or f16; one is null, or for none both.
struct BlockNumbers {
  const float* f32 = nullptr;
  const uint16_t* f16 = nullptr;

  bool there() const { return f32 || f16; }
};

// W [columns, k] in few bits. Each `block` of a row's numbers has a scale: they are scale * (code - zero),
// zero being the middle of the codes, or with offsets scale * code + offset. Codes lie in panels of 16 rows
// of W, four numbers of each row in turn, [k / 4, 16, 4]. Of 4 bits, a byte holds number p of 32 and, in its
// upper half, number p + 16: [k / 32, 4, 16, 4]. Rows and numbers that fill up have codes of any kind and
// scales and offsets of zero.
struct QuantisedMatrix {
  int64_t columns, k;  // k: filled up to a multiple of kQuantisedDepth
  int64_t block;       // a multiple of 16, of 32 where codes have 4 bits; the last one may be shorter
  int bits;            // 8 or 4
  const uint8_t* codes;
  BlockNumbers scales;   // [panels, blocks, 16]
  BlockNumbers offsets;  // the same, or none

  int zero() const { return offsets.there() ? 0 : 1 << (bits - 1); }
  int64_t blocks() const { return (k + block - 1) / block; }
  int64_t depth(int64_t b) const { return block < k - b * block ? block : k - b * block; }
  int64_t panel_bytes() const { return 16 * k * bits / 8; }
};
inline constexpr int64_t kQuantisedDepth = 64, kQuantisedPanel = 16;

// Activations in 8 bits, with a scale for each block of a row: round(x 127 / max |x|). A block that holds
// what is not finite has the scale NaN.
struct QuantisedRows {
  void* numbers;    // [rows, k], of QuantisedProducts::number_bytes each
  float* scales;    // [rows, blocks]
  int32_t* starts;  // the same: at what a block's sum starts, - zero * sum of the block's numbers
  float* sums;      // the same: scale * sum of the block's numbers; written where there are offsets
};

// Products of weights and activations of few bits. Sums of a block are whole numbers, exact and so the same
// in every tier; blocks are added up in f32, in their order.
struct QuantisedProducts {
  int64_t number_bytes;
  // Rows [begin, end) of x [.., width], `ldx` apart, into these of `rows`, as w has its blocks. Room is
  // needed for as many rows as a multiple of kPackedRows.
  void (*pack)(const float* x, int64_t ldx, int64_t begin, int64_t end, int64_t width,
               const QuantisedMatrix& w, const QuantisedRows& rows);
  // Columns [begin, end), whole panels but for the last, of C[rows, columns] = A W^T (+ C with `add`).
  void (*multiply)(const QuantisedMatrix& w, const QuantisedRows& a, int64_t rows, int64_t begin, int64_t end,
                   bool add, float* c, int64_t ldc);
  // A panel's rows as numbers, [16, width]; fewer where W has no more.
  void (*widen)(const QuantisedMatrix& w, int64_t panel, int64_t width, float* y);
};

// Attention beside keys and values in bf16: queries, weights and their gradients are rounded to it, too;
// sums, dk and dv are f32. As Kernels::attention otherwise.
struct Bf16Attention {
  void (*forward)(const AttentionShape& shape, const AttentionSegment& segment, int64_t kv_head,
                  const float* q, float* out, float* lse);
  void (*backward)(const AttentionShape& shape, const AttentionSegment& segment, int64_t kv_head,
                   const float* q, const float* out, const float* lse, const float* dout, float* dq);
};

// What a core can do at most, to measure what share of it a product reaches.
struct PeakLoops {
  // Multiply-adds on numbers in registers, `rounds` times some; returns how many. bf16: null where the tier
  // has no instruction for them. int8: of whole numbers, as QuantisedProducts multiplies them.
  int64_t (*f32)(int64_t rounds);
  int64_t (*bf16)(int64_t rounds);
  int64_t (*int8)(int64_t rounds);
  // The sum of x modulo 2^32, read from memory as weights are; count: a multiple of 16.
  uint32_t (*read)(const uint32_t* x, int64_t count);
};

// One tier's functions, for one thread each.
struct Kernels {
  // Columns [begin, end) of C[rows, N] = A[rows, k] W[N, k]^T (+ C with `add`). Each element is summed in an
  // order of its own: neither the other rows nor the columns asked for change it.
  void (*linear)(const float* a, int64_t lda, const float* w, int64_t ldw, int64_t rows, int64_t begin,
                 int64_t end, int64_t k, bool add, float* c, int64_t ldc);

  // The same with W in 16 bits, to the same bits.
  void (*linear_f16)(const float* a, int64_t lda, const uint16_t* w, int64_t ldw, int64_t rows, int64_t begin,
                     int64_t end, int64_t k, bool add, float* c, int64_t ldc);
  void (*linear_bf16)(const float* a, int64_t lda, const uint16_t* w, int64_t ldw, int64_t rows,
                      int64_t begin, int64_t end, int64_t k, bool add, float* c, int64_t ldc);
  // By the tier's instruction, null where it has none; and by multiply-adds of f32, on Intel's processors to
  // the same bits.
  Bf16Products bf16, bf16_wide;
  QuantisedProducts quantised;
  // y = x to the nearest number of bf16, ties to even.
  void (*round_bf16)(const float* x, int64_t count, uint16_t* y);
  // y = x, of 16 bits.
  void (*widen_f16)(const uint16_t* x, int64_t count, float* y);
  void (*widen_bf16)(const uint16_t* x, int64_t count, float* y);

  // y = x * rsqrt(mean(x^2) + eps) * w; rstd (may be null) gets the reciprocal root of each row for the
  // backward pass.
  void (*rms_norm)(const float* x, const float* w, float eps, int64_t rows, int64_t width, float* y,
                   float* rstd);
  // dx; dw [width] is added to (null: not wanted).
  void (*rms_norm_backward)(const float* x, const float* w, const float* rstd, const float* dy, int64_t rows,
                            int64_t width, float* dx, float* dw);

  // y = silu(gate) * up, over `count` numbers.
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* y);
  void (*swiglu_backward)(const float* gate, const float* up, const float* dy, int64_t count, float* dgate,
                          float* dup);

  // Rotates pairs (i, i + D/2) of each head; x, y [rows, heads, D], cos and sin [rows, D/2]. inverse: the
  // transpose, for gradients. x may be y.
  void (*rope)(const float* x, const float* cos, const float* sin, int64_t rows, int64_t heads,
               int64_t head_dim, bool inverse, float* y);

  // y = x * keep / (1 - p), keep drawn for element begin + i from the stream `key`: the same in forward and
  // backward.
  void (*dropout)(const float* x, float p, uint64_t key, int64_t begin, int64_t count, float* y);

  // One segment and kv head, with the heads that share it. q, out [rows, heads, D]; lse [rows, heads] (may be
  // null).
  void (*attention)(const AttentionShape& shape, const AttentionSegment& segment, int64_t kv_head,
                    const float* q, float* out, float* lse);
  void (*attention_backward)(const AttentionShape& shape, const AttentionSegment& segment, int64_t kv_head,
                             const float* q, const float* out, const float* lse, const float* dout,
                             float* dq);
  // As Bf16Products: by the instruction for pairs, and by multiply-adds.
  Bf16Attention attention_bf16, attention_bf16_wide;

  // For each row of logits [rows, width]: loss = logsumexp(row) - row[target]. With gradient: the row becomes
  // weight * (softmax(row) - onehot(target)).
  void (*cross_entropy)(float* logits, const int64_t* targets, const float* weights, int64_t rows,
                        int64_t width, bool gradient, float* losses);

  void (*adamw)(const AdamWStep& step, const float* gradient, int64_t count, float* parameter, float* m,
                float* v);
  double (*sum_of_squares)(const float* x, int64_t count);

  // For choosing tokens from one row of logits, of one number at least; NaN counts as less than all.
  // find_at_least: the first `limit` indices of such numbers, in order, and how many there are.
  // softmax_weights: exp((x - top) * factor) and their sum. first_beyond: the index at which the running sum
  // of weights passes `sum`, else the last.
  float (*maximum)(const float* x, int64_t count);
  int64_t (*count_at_least)(const float* x, int64_t count, float least);
  int64_t (*find_at_least)(const float* x, int64_t count, float least, int64_t limit, int32_t* indices);
  double (*softmax_weights)(const float* x, int64_t count, float top, float factor, float* weights);
  double (*sum_at_least)(const float* x, const float* weights, int64_t count, float least);
  int64_t (*first_beyond)(const float* weights, int64_t count, double sum);

  PeakLoops peaks;
};

}  // namespace sdft
