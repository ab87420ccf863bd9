#include "base/interrupt.h"

#include "base/error.h"

namespace sdft {

std::atomic<bool> interrupted{false};

void stop_if_interrupted() {
  if (interrupted.load(std::memory_order_relaxed)) throw Error(ExitCode::kInterrupted, "interrupted");
}

}  // namespace sdft
