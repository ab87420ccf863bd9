// Memory for the weights of a model.
#pragma once

#include <memory>

#include "tensor/torch_compat.h"

namespace sdft {

// One mapping that all of a model's weights lie in one after another, in huge pages where the system has
// them: a pass reads every weight, and with pages of 4 KB it would wait for a page's address every 64 lines.
// Lives as long as any tensor in it.
class WeightMemory {
 public:
  // Room for `bytes` and what lines of 64 bytes leave free between `tensors`. Error(kDevice) where there is
  // none.
  WeightMemory(int64_t bytes, int64_t tensors);
  // Not filled; begins at a line.
  Tensor take(at::IntArrayRef shape, at::ScalarType type);

 private:
  std::shared_ptr<char> begin_;
  int64_t used_ = 0, size_;
};

}  // namespace sdft
