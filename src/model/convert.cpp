#include "model/convert.h"

#include <fmt/format.h>

#include <limits>

#include "base/error.h"

namespace sdft {
namespace {

struct FloatType {
  const char *name, *torch_name;
  at::ScalarType type;
  double largest;
  const char* wider;  // what to do where it is too narrow
};
const FloatType kFloatTypes[] = {
    {"f16", "float16", at::kHalf, 65504, "write bf16 or f32: --dtype, of a trained model save_dtype"},
    {"bf16", "bfloat16", at::kBFloat16, std::numeric_limits<c10::BFloat16>::max(),
     "write f32: --dtype, of a trained model save_dtype"},
    {"f32", "float32", at::kFloat, std::numeric_limits<float>::max(), ""},
};

const FloatType& find(at::ScalarType type) {
  for (const FloatType& row : kFloatTypes)
    if (row.type == type) return row;
  throw Error(ExitCode::kInternal, std::string("weights are not written as ") + at::toString(type));
}

bool all_finite(const Tensor& values) { return at::isfinite(values).all().item<bool>(); }

}  // namespace

Tensor convert_finite(const Tensor& values, at::ScalarType type, const std::string& where) {
  if (!values.defined() || !at::isFloatingType(values.scalar_type())) return values;
  at::NoGradGuard no_grad;
  Tensor converted = values.detach().to(at::kCPU, type, /*non_blocking=*/false, /*copy=*/true);
  if (all_finite(converted)) return converted;
  if (!all_finite(values)) fail_input(where, "holds numbers that are not finite (NaN or infinite)");
  const FloatType& target = find(type);
  fail_input(where,
             fmt::format("holds numbers up to {:.6g}; {} goes to {:.6g}",
                         values.to(at::kDouble).abs().max().item<double>(), target.name, target.largest),
             target.wider);
}

at::ScalarType float_type(const std::string& name) {
  for (const FloatType& row : kFloatTypes)
    if (name == row.name) return row.type;
  throw Error(ExitCode::kInternal, "there is no type '" + name + "' of weights");
}

const char* torch_name(at::ScalarType type) { return find(type).torch_name; }

}  // namespace sdft
