#include "cli/terminal_input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft::cli {

bool TerminalInput::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  for (;;) {
    stop_if_interrupted();
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_descriptor(), POLLIN, 0}};
    if (::poll(waits, 2, 1000) < 0 && errno != EINTR)
      fail_input("standard input", std::string("cannot be read: ") + std::strerror(errno));
    if (!waits[0].revents) continue;
    char bytes[1 << 16];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_input("standard input", std::string("cannot be read: ") + std::strerror(errno));
    buffer_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }
}

bool TerminalInput::read_line(std::string* line) {
  size_t searched = 0;  // of what is not given out yet
  for (;;) {
    const size_t end = buffer_.find('\n', begin_ + searched);
    if (end != std::string::npos) {
      line->assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      return true;
    }
    searched = buffer_.size() - begin_;
    if (fill()) continue;
    line->assign(buffer_, begin_, std::string::npos);
    begin_ = buffer_.size();
    return !line->empty();
  }
}

}  // namespace sdft::cli
