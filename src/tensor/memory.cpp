#include "tensor/memory.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstdlib>

#include "base/error.h"

namespace sdft {

namespace {
constexpr int64_t kLine = 64, kHugePage = int64_t{2} << 20;

int64_t rounded_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

int64_t bytes_of(at::IntArrayRef shape, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(at::elementSize(type));
  for (const int64_t n : shape) bytes *= n;
  return bytes;
}
}  // namespace

TensorMemory::TensorMemory(int64_t bytes, int64_t tensors) : size_(bytes + tensors * kLine) {
  const auto mapped = static_cast<size_t>(rounded_up(size_, kHugePage) + kHugePage);
  void* memory =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw memory_error();
  ::madvise(memory, mapped, MADV_HUGEPAGE);  // a wish: where it is not granted the pages are small
  const std::shared_ptr<char> whole(static_cast<char*>(memory), [mapped](char* p) { ::munmap(p, mapped); });
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory));
  begin_ = std::shared_ptr<char>(whole, whole.get() + (rounded_up(address, kHugePage) - address));
}

Tensor TensorMemory::take(at::IntArrayRef shape, at::ScalarType type) {
  const int64_t bytes = bytes_of(shape, type);
  if (used_ + bytes > size_) throw Error(ExitCode::kInternal, "tensors beyond their memory");
  char* data = begin_.get() + used_;
  used_ += rounded_up(bytes, kLine);
  return at::from_blob(
      data, shape, [memory = begin_](void*) {}, at::TensorOptions().dtype(type));
}

namespace {
struct LinesInBlocks final : Allocator {
  c10::DataPtr block_of(size_t bytes) const override {
    if (bytes == 0) return {nullptr, nullptr, &std::free, at::Device(at::kCPU)};
    void* block = std::malloc(bytes + kLine);
    if (!block) throw memory_error();
    const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(block));
    char* line = static_cast<char*>(block) + (rounded_up(address, kLine) - address);
    return {line, block, &std::free, at::Device(at::kCPU)};
  }
};
}  // namespace

void allocate_from_plain_blocks() {
  static LinesInBlocks allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

Tensor zeros_in_huge_pages(at::IntArrayRef shape, at::ScalarType type) {
  const int64_t bytes = bytes_of(shape, type);
  if (bytes < 2 * kHugePage) return at::zeros(shape, at::TensorOptions().dtype(type));
  return TensorMemory(bytes, 1).take(shape, type);
}

}  // namespace sdft
