#include "tensor/cpu/scratch.h"

#include <cstdlib>
#include <memory>
#include <new>

namespace sdft::cpu {

namespace {
constexpr size_t kLine = 64;  // a load of a whole register that crosses lines counts twice

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};
struct Buffer {
  std::unique_ptr<float, Free> memory;
  size_t count = 0;
};
}  // namespace

float* scratch(int slot, size_t count) {
  thread_local Buffer buffers[6];
  Buffer& buffer = buffers[slot];
  if (buffer.count < count) {
    const size_t bytes = (count * sizeof(float) + kLine - 1) / kLine * kLine;
    buffer = {};
    buffer.memory.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes)));
    if (!buffer.memory) throw std::bad_alloc();
    buffer.count = count;
  }
  return buffer.memory.get();
}

}  // namespace sdft::cpu
