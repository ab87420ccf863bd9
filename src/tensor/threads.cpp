#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>

#include <cstdlib>
#include <future>
#include <thread>

#include "base/error.h"
#include "tensor/ops.h"

namespace sdft {

namespace {
// Starts as many as OpenMP will beside this one, all at once.
void require_threads(int64_t count) {
  std::promise<void> enough;
  std::shared_future<void> end = enough.get_future().share();
  std::vector<std::thread> started;
  std::string fault;
  try {
    for (int64_t i = 1; i < count; ++i) started.emplace_back([end] { end.wait(); });
  } catch (const std::exception& e) {
    fault = e.what();
  }
  enough.set_value();
  for (std::thread& thread : started) thread.join();
  if (!fault.empty())
    throw Error(ExitCode::kDevice, fmt::format("cannot start {} threads: {} (lower threads)", count, fault));
}
// Libraries below ask for memory where a refusal cannot be told: pthreadpool waits for ever for a thread that
// did not start, oneDNN's code generator calls through a null pointer. Where there is not even this much
// address space left (a limit of `ulimit -v`), they are not begun.
void require_address_space(int64_t threads) {
  const size_t bytes = (size_t{192} << 20) + static_cast<size_t>(threads) * (size_t{16} << 20);
  void* probe =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED)
    throw Error(ExitCode::kDevice,
                fmt::format("out of memory: less than {} MB are left to begin with (raise ulimit -v, "
                            "or lower threads)",
                            bytes >> 20));
  ::munmap(probe, bytes);
}
}  // namespace

void set_num_threads(int64_t threads) {
  const char* name = "threads";
  if (const char* env = std::getenv("OMP_NUM_THREADS"); threads == 0 && env) {
    name = "OMP_NUM_THREADS";
    threads = std::strtoll(env, nullptr, 10);
  }
  if (threads < 0 || threads > kMostThreads)
    fail_usage(fmt::format("'{}': expected 0 to {}, found {}", name, kMostThreads, threads));
  cpu_set_t allowed;
  if (threads == 0 && ::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    threads = std::min<int64_t>(CPU_COUNT(&allowed), kMostThreads);
  threads = std::max<int64_t>(1, threads);
  require_threads(threads);
  require_address_space(threads);
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace sdft
