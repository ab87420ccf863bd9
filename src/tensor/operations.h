// Which implementation of an operation runs: the rows {operation, device, type, tier, function} of
// operations.cpp, and what the implementations share. For src/tensor/ only; everybody else calls ops.h.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <initializer_list>

#include "tensor/ops.h"

namespace sdft::ops {

// What has several implementations; F is the type of each of them.
template <typename F>
struct Operation {
  const char* name;
};

// Losses [n] of logits [n, V]; with `gradient` these become weights * (softmax - onehot). weights may be
// undefined without.
Tensor cross_entropy(Tensor& logits, const Tensor& targets, const Tensor& weights, bool gradient);

inline constexpr Operation<decltype(product)> kProduct{"product"};
inline constexpr Operation<decltype(product)> kProductBf16{"product, in bf16"};
// x weight^T with a weight of few bits.
Tensor product_quantised(const Tensor& x, const Tensor& weight);
inline constexpr Operation<decltype(product_quantised)> kProductQuantised{"product, of few bits"};
inline constexpr Operation<decltype(linear)> kLinear{"linear, training"};
inline constexpr Operation<decltype(linear)> kLinearInference{"linear, inference"};
inline constexpr Operation<decltype(linear_each)> kLinearEach{"linear_each, inference"};
inline constexpr Operation<decltype(add_linear)> kAddLinear{"add_linear, inference"};
inline constexpr Operation<decltype(rms_norm)> kRmsNorm{"rms_norm"};
inline constexpr Operation<decltype(swiglu)> kSwiglu{"swiglu"};
inline constexpr Operation<decltype(geglu)> kGeglu{"geglu"};
inline constexpr Operation<decltype(rope)> kRope{"rope"};
inline constexpr Operation<decltype(dropout)> kDropout{"dropout"};
inline constexpr Operation<decltype(attention)> kAttention{"attention"};
inline constexpr Operation<decltype(attention_cached)> kAttentionCached{"attention_cached"};
inline constexpr Operation<decltype(append_to_cache)> kAppendToCache{"append_to_cache"};
inline constexpr Operation<decltype(cross_entropy)> kCrossEntropy{"cross_entropy"};
inline constexpr Operation<decltype(score_tokens)> kScoreTokens{"score_tokens"};
inline constexpr Operation<decltype(squared_norm)> kSquaredNorm{"squared_norm"};
inline constexpr Operation<decltype(adamw)> kAdamW{"adamw"};

using AnyFunction = void (*)();
AnyFunction find_function(const void* operation, at::DeviceType device, at::ScalarType type);

// The implementation for what is on this device and computed in this type, at the chosen tier.
template <typename F>
F* find(const Operation<F>& operation, at::DeviceType device, at::ScalarType type) {
  return reinterpret_cast<F*>(find_function(&operation, device, type));
}
template <typename F>
F* find(const Operation<F>& operation, const Tensor& x) {
  return find(operation, x.device().type(), x.scalar_type());
}

// --- for the implementations

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using Grads = torch::autograd::variable_list;

inline bool wants_gradient(std::initializer_list<Tensor> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const Tensor& x) { return x.defined() && x.requires_grad(); });
}

// For weights of x's type; null where it has more than 16 bits.
struct NarrowKernels {
  decltype(Kernels::linear_f16) linear;
  decltype(Kernels::widen_f16) widen;
};
NarrowKernels narrow_kernels(const Tensor& x);
// The weight that is multiplied with x: widened once by whoever multiplies with it several times.
inline Tensor widened_for(const Tensor& x, const Tensor& weight, MatmulPrecision precision) {
  return precision == MatmulPrecision::kFull && x.scalar_type() == at::kFloat ? widened(weight) : weight;
}

// y (+)= x weight^T of one x, y [N, out].
struct ProductTerm {
  Tensor weight;
  bool add;
  Tensor y;
};
using ProductTerms = std::vector<ProductTerm>;
inline std::vector<int64_t> columns_of(const ProductTerms& terms) {
  std::vector<int64_t> columns;
  for (const ProductTerm& term : terms) columns.push_back(term.weight.size(0));
  return columns;
}

inline const float* in(const Tensor& x) { return x.data_ptr<float>(); }
inline float* out(const Tensor& x) { return x.data_ptr<float>(); }

// Numbers a thread must have to do: below that a second one costs more than it gives.
constexpr int64_t kGrain = 32768;
// The same in rows.
inline int64_t grain(int64_t width) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)); }

}  // namespace sdft::ops
