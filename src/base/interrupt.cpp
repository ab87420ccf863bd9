#include "base/interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/error.h"

namespace sdft {

std::atomic<bool> interrupted{false};

int interrupt_descriptor() {
  static const int fd = ::eventfd(interrupted ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd;
}

void stop_if_interrupted() {
  if (interrupted.load(std::memory_order_relaxed)) throw Error(ExitCode::kInterrupted, "interrupted");
}

bool request_interrupt() {
  if (interrupted.exchange(true)) return false;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(interrupt_descriptor(), &one, sizeof one);
  return true;
}

void forget_interrupt() {
  interrupted = false;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(interrupt_descriptor(), &count, sizeof count);
}

}  // namespace sdft
