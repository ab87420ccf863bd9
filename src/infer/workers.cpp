#include "infer/workers.h"

#include <exception>
#include <mutex>

namespace sdft {

int64_t worker_count(int64_t parameters, at::Device device, at::ScalarType dtype) {
  constexpr int64_t kSmall = (int64_t{128} << 20) / static_cast<int64_t>(sizeof(float));
  return parameters <= kSmall && device.is_cpu() && dtype == at::kFloat ? at::get_num_threads() : 1;
}

int64_t worker_count(const Model& model) {
  return worker_count(model.config.parameters(), model.device, model.dtype);
}

void run_workers(int64_t count, const std::function<void(int64_t)>& work) {
  if (count == 1) return work(0);  // not inside a parallel region
  std::mutex mutex;
  std::exception_ptr error;
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      try {
        work(worker);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace sdft
