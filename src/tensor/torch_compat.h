// What differs between libtorch 1.13 and 2.x, and nothing else. The only header that may test the version.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/api/include/torch/version.h>

namespace sdft {
using at::Tensor;
inline constexpr const char* kTorchVersion = TORCH_VERSION;
}  // namespace sdft
