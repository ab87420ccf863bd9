#include "tensor/cpu/scratch.h"

#include <vector>

namespace sdft::cpu {

float* scratch(int slot, size_t count) {
  thread_local std::vector<float> buffers[6];
  if (buffers[slot].size() < count) buffers[slot].resize(count);
  return buffers[slot].data();
}

}  // namespace sdft::cpu
