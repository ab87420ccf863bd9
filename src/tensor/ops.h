// The operations a transformer is made of, differentiable. Tokens of all sequences of a batch lie one after
// another in the first dimension (N rows, no padding). On the CPU in f32 each runs a kernel of kernels.h;
// elsewhere (CUDA, bf16) the same formula is composed of ATen operations, so that results agree within the
// arithmetic's error. Shapes: N tokens, C width, H heads, Hkv key/value heads, D head size, V vocabulary.
#pragma once

#include <vector>

#include "tensor/torch_compat.h"

namespace sdft {

// Threads for everything below; 0: OMP_NUM_THREADS, else all cores this process may use. Error(kUsage) below
// 0 and beyond kMostThreads, Error(kDevice) where so many cannot be started: OpenMP would end the process.
inline constexpr int64_t kMostThreads = 1024;
void set_num_threads(int64_t threads);

namespace ops {

// Matrix products of f32 tensors on the CPU in bf16 with f32 accumulation while the guard lives (about twice
// as fast, relative error 2^-9 an element). For training from scratch; never the default.
class Bf16Products {
 public:
  explicit Bf16Products(bool on);
  ~Bf16Products();

 private:
  bool before_;
};

// op(A) op(B) of two contiguous matrices, no gradient.
Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b);

// [N, in] x [out, in] -> [N, out]. In no-gradient mode a row's result does not depend on the rows beside it.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// sum + linear(x, weight, bias); in no-gradient mode it is added in sum's own memory.
Tensor add_linear(Tensor sum, const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// Over the last dimension; Zhang & Sennrich 2019. offset: multiplies with 1 + weight (Gemma).
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, bool offset = false);
Tensor swiglu(const Tensor& gate, const Tensor& up);  // silu(gate) * up; Shazeer 2020
Tensor geglu(const Tensor& gate, const Tensor& up);   // gelu(gate) * up, gelu by tanh
// x [N, H, D]; cos and sin [N, R/2]: the first R of each head are rotated, the rest stays. Su et al. 2021.
Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin);
Tensor softcap(const Tensor& x, double cap);              // cap * tanh(x / cap); 0: x
Tensor dropout(const Tensor& x, double p, uint64_t key);  // the same mask for the same key

// Causal attention inside each sequence; lengths sum to N. window 0: all earlier tokens, else the last
// `window`. q [N, H, D], k and v [N, Hkv, D] -> [N, H, D].
struct AttentionOptions {
  double scale = 1.0;
  int64_t window = 0;
  double softcap = 0;  // of scaled scores; 0: none
};
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<int64_t>& lengths,
                 const AttentionOptions& options);

// The same against a cache (no gradient). A segment's q_len newest tokens end at position kv_len of row
// `slot`.
struct CacheSegment {
  int64_t q_len;
  int64_t slot;
  int64_t kv_len;
};
// q [N, H, D]; keys, values [slots, Hkv, Tmax, D].
Tensor attention_cached(const Tensor& q, const Tensor& keys, const Tensor& values,
                        const std::vector<CacheSegment>& segments, const AttentionOptions& options);
// Writes k and v [N, Hkv, D] of the segments' new tokens into the cache.
void append_to_cache(const Tensor& k, const Tensor& v, const std::vector<CacheSegment>& segments,
                     Tensor& keys, Tensor& values);

// sum_n weights[n] * -log softmax(hidden[n] W^T)[targets[n]], without holding all logits at once.
// hidden [N, C], weight [V, C], targets [N] i64, weights [N] f32 -> scalar f32. cap: softcap of the logits.
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets,
                            const Tensor& weights, double cap = 0);
// log softmax(hidden W^T)[targets] -> [N] f32, no gradient.
Tensor token_log_probs(const Tensor& hidden, const Tensor& weight, const Tensor& targets, double cap = 0);

}  // namespace ops
}  // namespace sdft
