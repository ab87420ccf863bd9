// Memory for large tensors.
#pragma once

#include <memory>

#include "tensor/torch_compat.h"

namespace sdft {

// One mapping in which tensors lie one after another, in huge pages where the system has them: a pass reads
// every weight and every key, and with pages of 4 KB it would wait for a page's address every 64 lines.
// Lives as long as any tensor in it.
class TensorMemory {
 public:
  // Room for `bytes` and what lines of 64 bytes leave free between `tensors`. Error(kDevice) where there is
  // none.
  TensorMemory(int64_t bytes, int64_t tensors);
  // Zeros; begins at a line.
  Tensor take(at::IntArrayRef shape, at::ScalarType type);

 private:
  std::shared_ptr<char> begin_;
  int64_t used_ = 0, size_;
};

// From now on tensors on the CPU are blocks of malloc's in which a line is found. libtorch asks for lines by
// posix_memalign, which never takes a free block of just the size wanted: what one layer of a training gives
// back would be of no use to the next one, and the heap half as large again. Before the first tensor, once.
void allocate_from_plain_blocks();

// Zeros on the CPU, in a mapping of their own where that is worth it.
Tensor zeros_in_huge_pages(at::IntArrayRef shape, at::ScalarType type);

}  // namespace sdft
