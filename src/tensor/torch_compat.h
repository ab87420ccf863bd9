// What differs between libtorch 1.13 and 2.x, and nothing else. The only header that may test the version.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Allocator.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cstring>

namespace sdft {
using at::Tensor;
inline constexpr const char* kTorchVersion = TORCH_VERSION;

// c10::Allocator, whose allocate() was const before 2.3, and who copies since.
struct Allocator : c10::Allocator {
  virtual c10::DataPtr block_of(size_t bytes) const = 0;
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3)
  c10::DataPtr allocate(size_t bytes) final { return block_of(bytes); }
  void copy_data(void* to, const void* from, size_t bytes) const final { std::memcpy(to, from, bytes); }
#else
  c10::DataPtr allocate(size_t bytes) const final { return block_of(bytes); }
#endif
};
}  // namespace sdft
