// The table: who computes what.
#include "tensor/operations.h"

#include <fmt/format.h>

#include "base/error.h"

namespace sdft::ops {

// The implementations: *_kernels by the own kernels, *_aten composed of libtorch's operations.
decltype(product) product_onednn, product_aten;
decltype(product) product_bf16, product_rounded;
decltype(product_quantised) product_quantised_kernels, product_quantised_aten;
decltype(linear) linear_products, linear_kernels, linear_aten;
decltype(linear_each) linear_each_kernels, linear_each_aten;
decltype(add_linear) add_linear_kernels, add_linear_aten;
decltype(rms_norm) rms_norm_kernels, rms_norm_aten;
decltype(swiglu) swiglu_kernels, swiglu_aten;
decltype(geglu) geglu_aten;
decltype(rope) rope_kernels, rope_aten;
decltype(dropout) dropout_kernels, dropout_aten;
decltype(attention) attention_kernels, attention_aten;
decltype(attention_cached) attention_cached_kernels, attention_cached_aten;
decltype(append_to_cache) append_to_cache_kernels, append_to_cache_aten;
decltype(cross_entropy) cross_entropy_kernels, cross_entropy_aten;
decltype(score_tokens) score_tokens_kernels, score_tokens_aten;
decltype(squared_norm) squared_norm_kernels, squared_norm_aten;
decltype(adamw) adamw_kernels, adamw_aten;

namespace {
constexpr at::DeviceType kAnyDevice = at::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES;
constexpr at::ScalarType kAnyType = at::ScalarType::Undefined;

struct Row {
  const void* operation;
  const char* name;
  at::DeviceType device;
  at::ScalarType type;
  Tier tier;  // the lowest that has it
  AnyFunction function;

  bool fits(at::DeviceType on, at::ScalarType in_type) const {
    return (device == on || device == kAnyDevice) && (type == in_type || type == kAnyType);
  }
};

// F itself, not deduced: an implementation must have its operation's type.
template <typename F>
struct Same {
  using Type = F;
};

template <typename F>
Row row(const Operation<F>& operation, at::DeviceType device, at::ScalarType type, Tier tier,
        typename Same<F>::Type* function) {
  return {&operation, operation.name, device, type, tier, reinterpret_cast<AnyFunction>(function)};
}

// Of an operation's rows the first that fits and whose tier is not above the chosen one.
const Row kTable[] = {
    row(kProduct, at::kCPU, at::kFloat, Tier::kOneDnn, product_onednn),
    row(kProductBf16, at::kCPU, at::kFloat, Tier::kAvx512Bf16, product_bf16),
    row(kProductBf16, at::kCPU, at::kFloat, Tier::kOneDnn, product_rounded),
    row(kProductQuantised, at::kCPU, at::kFloat, Tier::kBaseline, product_quantised_kernels),
    row(kLinear, at::kCPU, at::kFloat, Tier::kOneDnn, linear_products),
    row(kLinearInference, at::kCPU, at::kFloat, Tier::kBaseline, linear_kernels),
    row(kLinearEach, at::kCPU, at::kFloat, Tier::kBaseline, linear_each_kernels),
    row(kAddLinear, at::kCPU, at::kFloat, Tier::kBaseline, add_linear_kernels),
    row(kRmsNorm, at::kCPU, at::kFloat, Tier::kBaseline, rms_norm_kernels),
    row(kSwiglu, at::kCPU, at::kFloat, Tier::kBaseline, swiglu_kernels),
    row(kRope, at::kCPU, at::kFloat, Tier::kBaseline, rope_kernels),
    row(kDropout, at::kCPU, at::kFloat, Tier::kBaseline, dropout_kernels),
    row(kAttention, at::kCPU, at::kFloat, Tier::kBaseline, attention_kernels),
    row(kAttentionCached, at::kCPU, at::kFloat, Tier::kBaseline, attention_cached_kernels),
    row(kAppendToCache, at::kCPU, at::kFloat, Tier::kBaseline, append_to_cache_kernels),
    row(kCrossEntropy, at::kCPU, at::kFloat, Tier::kBaseline, cross_entropy_kernels),
    row(kScoreTokens, at::kCPU, at::kFloat, Tier::kBaseline, score_tokens_kernels),
    row(kSquaredNorm, at::kCPU, at::kFloat, Tier::kBaseline, squared_norm_kernels),
    row(kAdamW, at::kCPU, at::kFloat, Tier::kBaseline, adamw_kernels),

    row(kProduct, kAnyDevice, kAnyType, Tier::kAten, product_aten),
    row(kProductBf16, kAnyDevice, kAnyType, Tier::kAten, product_aten),
    row(kProductQuantised, kAnyDevice, kAnyType, Tier::kAten, product_quantised_aten),
    row(kLinear, kAnyDevice, kAnyType, Tier::kAten, linear_aten),
    row(kLinearInference, kAnyDevice, kAnyType, Tier::kAten, linear_aten),
    row(kLinearEach, kAnyDevice, kAnyType, Tier::kAten, linear_each_aten),
    row(kAddLinear, kAnyDevice, kAnyType, Tier::kAten, add_linear_aten),
    row(kRmsNorm, kAnyDevice, kAnyType, Tier::kAten, rms_norm_aten),
    row(kSwiglu, kAnyDevice, kAnyType, Tier::kAten, swiglu_aten),
    row(kGeglu, kAnyDevice, kAnyType, Tier::kAten, geglu_aten),
    row(kRope, kAnyDevice, kAnyType, Tier::kAten, rope_aten),
    row(kDropout, kAnyDevice, kAnyType, Tier::kAten, dropout_aten),
    row(kAttention, kAnyDevice, kAnyType, Tier::kAten, attention_aten),
    row(kAttentionCached, kAnyDevice, kAnyType, Tier::kAten, attention_cached_aten),
    row(kAppendToCache, kAnyDevice, kAnyType, Tier::kAten, append_to_cache_aten),
    row(kCrossEntropy, kAnyDevice, kAnyType, Tier::kAten, cross_entropy_aten),
    row(kScoreTokens, kAnyDevice, kAnyType, Tier::kAten, score_tokens_aten),
    row(kSquaredNorm, kAnyDevice, kAnyType, Tier::kAten, squared_norm_aten),
    row(kAdamW, kAnyDevice, kAnyType, Tier::kAten, adamw_aten),
};

const Row& find_row(const void* operation, at::DeviceType device, at::ScalarType type) {
  const Tier best = chosen_tier();
  for (const Row& row : kTable)
    if (row.operation == operation && row.tier <= best && row.fits(device, type)) return row;
  throw Error(ExitCode::kInternal, "an operation has no row in the table");
}

// Own kernels run at the chosen tier, whatever the lowest that has them.
const char* tier_name(const Row& row) {
  return name_of(row.tier >= Tier::kBaseline ? chosen_tier() : row.tier);
}
}  // namespace

AnyFunction find_function(const void* operation, at::DeviceType device, at::ScalarType type) {
  return find_row(operation, device, type).function;
}

std::string describe_operations() {
  std::string text = fmt::format("{:<24}{:<12}{:<12}{}\n", "operation", "cpu f32", "cpu bf16", "cuda");
  for (const Row& last : kTable) {
    if (last.tier != Tier::kAten) continue;  // every operation has one such row
    auto on = [&](at::DeviceType device, at::ScalarType type) {
      return tier_name(find_row(last.operation, device, type));
    };
    text += fmt::format("{:<24}{:<12}{:<12}{}\n", last.name, on(at::kCPU, at::kFloat),
                        on(at::kCPU, at::kBFloat16), on(at::kCUDA, at::kBFloat16));
  }
  return text;
}

}  // namespace sdft::ops
