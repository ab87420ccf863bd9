#include <fmt/format.h>
#include <sched.h>

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
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace sdft
