#include "base/signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {

namespace {
void* wait_for_signals(void* set) {
  for (int signal = 0;;) {
    if (::sigwait(static_cast<const sigset_t*>(set), &signal) == 0 && !request_interrupt())
      std::_Exit(static_cast<int>(ExitCode::kInterrupted));
  }
}

bool ignored(int signal) {
  struct sigaction action = {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}
}  // namespace

void watch_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  static sigset_t watched;
  ::sigemptyset(&watched);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    if (signal != SIGHUP || !ignored(signal)) ::sigaddset(&watched, signal);
  ::pthread_sigmask(SIG_BLOCK, &watched, nullptr);

  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const int failed = ::pthread_create(&thread, &attributes, wait_for_signals, &watched);
  ::pthread_attr_destroy(&attributes);
  if (failed) throw memory_error("cannot start a thread");
}

void secure_standard_descriptors() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
        ::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
      std::_Exit(static_cast<int>(ExitCode::kInternal));
}

}  // namespace sdft
