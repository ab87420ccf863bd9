#include "base/standard_input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {

std::string read_standard_input(uint64_t most_bytes) {
  const char* where = "standard input";
  constexpr int kWait = 500;  // milliseconds, where the interrupt has no descriptor
  std::string text, chunk(size_t{1} << 16, '\0');
  for (;;) {
    pollfd waited[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_descriptor(), POLLIN, 0}};
    const int ready = ::poll(waited, 2, kWait);
    stop_if_interrupted();
    if (ready < 0 && errno != EINTR)
      fail_input(where, std::string("cannot wait for it: ") + std::strerror(errno));
    if (ready <= 0 || waited[0].revents == 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got == 0) return text;
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) fail_input(where, std::string("cannot be read: ") + std::strerror(errno));
    if (text.size() + static_cast<size_t>(got) > most_bytes)
      fail_input(where, "has more than " + std::to_string(most_bytes) + " bytes");
    text.append(chunk.data(), static_cast<size_t>(got));
  }
}

}  // namespace sdft
