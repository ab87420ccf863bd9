// Workers: threads that each run the whole model on sequences of their own, meeting only to fetch work.
#pragma once

#include <cstdint>
#include <functional>

#include "model/model.h"

namespace sdft {

// A small model on the CPU has a worker a thread: no thread waits for another at every product. The weights
// of a large one are better read once a step, all threads sharing each product: one worker.
int64_t worker_count(const Model& model);
// The same for a model of another kind; dtype: what it computes in.
int64_t worker_count(int64_t parameters, at::Device device, at::ScalarType dtype);

// Calls work(0) … work(count - 1), each on a thread of its own where there are enough, work(0) on the
// caller's; an exception of any is thrown again when all have ended. Operations inside use one thread where
// count > 1.
void run_workers(int64_t count, const std::function<void(int64_t)>& work);

}  // namespace sdft
