// The operations a transformer is made of, differentiable. Tokens of all sequences of a batch lie one after
// another in the first dimension (N rows, no padding). Each has several implementations, whose results agree
// within the arithmetic's error: own kernels on the CPU in f32, ATen operations for every device and type.
// The table in operations.cpp says which runs, by the first tensor's device and type and by the chosen tier
// (cpu/tier.h); the other floating-point tensors have that device and type too. Thread-safe. Shapes: N
// tokens, C width, H heads, Hkv key/value heads, D head size, V vocabulary.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tensor/cpu/kernels.h"
#include "tensor/torch_compat.h"

namespace sdft {

// Threads for everything below; 0: OMP_NUM_THREADS, else all cores this process may use. Error(kUsage) below
// 0 and beyond kMostThreads, Error(kDevice) where so many cannot be started: OpenMP would end the process.
inline constexpr int64_t kMostThreads = 1024;
void set_num_threads(int64_t threads);

namespace ops {

// What a matrix product's factors are rounded to: kBf16 (relative error 2^-9 each) is faster where the
// processor has instructions for it, the same numbers where not. Sums are f32; on a GPU the result is
// rounded, too.
enum class MatmulPrecision { kFull, kBf16 };

// The same numbers in f32; x itself where it is. Weights may be f16 or bf16 beside x in f32, wherever they
// take part: results are those of widened weights, bit by bit, at half the memory. They have no gradient, and
// neither have those of few bits (quantised.h).
Tensor widened(const Tensor& x);
Tensor widened_rows(const Tensor& x, int64_t row, int64_t count);  // of a matrix

// op(A) op(B) of two contiguous matrices; only ATen's records gradients.
Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
               MatmulPrecision precision = MatmulPrecision::kFull);

// [N, in] x [out, in] -> [N, out]. In no-gradient mode the kernels' result for a row does not depend on the
// rows beside it.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              MatmulPrecision precision = MatmulPrecision::kFull);
// linear() of one x for each of several layers, whose weights may differ in kind.
struct LinearWeights {
  Tensor weight, bias;  // bias may be undefined
};
std::vector<Tensor> linear_each(const Tensor& x, const std::vector<LinearWeights>& layers,
                                MatmulPrecision precision = MatmulPrecision::kFull);
// sum + linear(x, weight, bias); in no-gradient mode it may be added in sum's own memory.
Tensor add_linear(const Tensor& sum, const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                  MatmulPrecision precision = MatmulPrecision::kFull);
// Over the last dimension; Zhang & Sennrich 2019. offset: multiplies with 1 + weight (Gemma).
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, bool offset = false);
Tensor swiglu(const Tensor& gate, const Tensor& up);  // silu(gate) * up; Shazeer 2020
Tensor geglu(const Tensor& gate, const Tensor& up);   // gelu(gate) * up, gelu by tanh
// x [N, H, D]; cos and sin [N, R/2]: the first R of each head are rotated, the rest stays. Su et al. 2021.
Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin);
Tensor softcap(const Tensor& x, double cap);              // cap * tanh(x / cap); 0: x
Tensor dropout(const Tensor& x, double p, uint64_t key);  // the same mask for the same key

// Sequences packed one after another. The first `shared` tokens, which all have in common, stand once, in
// front of what each has of its own: N = shared + sum (length - shared). Every length is above `shared`.
struct Sequences {
  Sequences(std::vector<int64_t> whole = {}, int64_t common = 0)  // NOLINT: lengths are sequences
      : lengths(std::move(whole)), shared(common) {}
  std::vector<int64_t> lengths;
  int64_t shared = 0;
};

// Causal attention inside each sequence. window 0: all earlier tokens, else the last `window`. q [N, H, D], k
// and v [N, Hkv, D] -> [N, H, D].
struct AttentionOptions {
  double scale = 1.0;
  int64_t window = 0;
  double softcap = 0;  // of scaled scores; 0: none
  MatmulPrecision precision = MatmulPrecision::kFull;
};
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& sequences,
                 const AttentionOptions& options);

// The same against a cache (no gradient), in the precision that its numbers have. A segment's q_len newest
// tokens end at position kv_len of row `slot`.
struct CacheSegment {
  int64_t q_len;
  int64_t slot;
  int64_t kv_len;
};
// q [N, H, D]; keys, values [slots, Hkv, Tmax, D], of q's type or, beside f32, bf16.
Tensor attention_cached(const Tensor& q, const Tensor& keys, const Tensor& values,
                        const std::vector<CacheSegment>& segments, const AttentionOptions& options);
// Writes k and v [N, Hkv, D] of the segments' new tokens into the cache.
void append_to_cache(const Tensor& k, const Tensor& v, const std::vector<CacheSegment>& segments,
                     Tensor& keys, Tensor& values);

// sum_n weights[n] * -log softmax(hidden[n] W^T)[targets[n]], without holding all logits at once.
// hidden [N, C], weight [V, C], targets [N] i64, weights [N] f32 -> scalar f32. cap: softcap of the logits.
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets,
                            const Tensor& weights, double cap = 0,
                            MatmulPrecision precision = MatmulPrecision::kFull);
// What logits are made of: softcap(hidden weight^T, cap).
struct Head {
  Tensor hidden;  // [N, C]
  Tensor weight;  // [V, C]
  double cap = 0;
};
// Some rows of logits, as a loss sees them that is no operation of its own.
struct LogitRows {
  Tensor student;  // [n, V] f32, with its gradient recorded where one is wanted
  Tensor teacher;  // [n, V] f32, without; undefined where there is none
  Tensor targets;  // [n] i64
  Tensor given;    // [n] f32, what the caller gave beside each target; undefined where it gave nothing
};
// Of each row, [n] f32.
using RowLoss = std::function<Tensor(const LogitRows& rows)>;
// sum_n weights[n] * loss(rows)[n] -> scalar f32, differentiable in the student; neither model's logits are
// held at once. `teacher` may be undefined; it may have a width of its own, but the same vocabulary.
Tensor linear_loss(const Head& student, const Head& teacher, const Tensor& targets, const Tensor& weights,
                   const RowLoss& loss, MatmulPrecision precision = MatmulPrecision::kFull,
                   const Tensor& given = {});
// part(x), of which only x is kept for gradients: these run part(x) again. To the bits of part(x), where it
// gives the same each time. Tensors that it captures get their gradients by backward() alone, not by
// torch::autograd::grad(); they and what else it captures must live until then.
Tensor recomputed(const Tensor& x, const std::function<Tensor(const Tensor&)>& part);
// log softmax(hidden W^T)[targets] -> [N] f32, no gradient.
Tensor token_log_probs(const Tensor& hidden, const Tensor& weight, const Tensor& targets, double cap = 0,
                       MatmulPrecision precision = MatmulPrecision::kFull);

// Of rows of logits [n, V], no gradient: log softmax(logits)[targets] [n] f32, and the first of the greatest
// [n] i64; both on the CPU.
struct TokenScores {
  Tensor log_probs, likeliest;
};
TokenScores score_tokens(const Tensor& logits, const Tensor& targets);  // targets [n] i64, on the CPU

// The optimizer's part, no gradient, all contiguous. The sum of squares; one AdamW step (cpu/kernels.h) on
// parameter and moments m, v.
double squared_norm(const Tensor& x);
void adamw(const AdamWStep& step, const Tensor& gradient, Tensor& parameter, Tensor& m, Tensor& v);

// Which tier each operation has here, as a table for people.
std::string describe_operations();

}  // namespace ops
}  // namespace sdft
