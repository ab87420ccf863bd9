#include "base/progress.h"

#include <gmock/gmock.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "base/utf8.h"

namespace sdft {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kDraw = "\r\033[K\033[?7l";  // a bar, which the terminal does not wrap

// All that work() writes on a terminal of so many columns.
std::string on_terminal(unsigned short columns, const std::function<void()>& work) {
  winsize size{24, columns, 0, 0};
  int fd = -1;
  const pid_t pid = ::forkpty(&fd, nullptr, nullptr, &size);
  if (pid == 0) {
    ::setenv("TERM", "xterm", 1);
    work();
    ::_exit(0);
  }
  std::string text;
  char bytes[4096];
  for (ssize_t count; (count = ::read(fd, bytes, sizeof bytes)) > 0;) text.append(bytes, count);
  ::waitpid(pid, nullptr, 0);
  ::close(fd);
  return text;
}

// The first half of 10 answers, and time enough that it is drawn.
void half(Progress& progress) {
  progress.update(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  progress.update(5);
}

std::string bar_of(const std::string& seen) {
  const size_t at = seen.find(kDraw);
  if (at == std::string::npos) return "";
  const size_t begin = at + std::string(kDraw).size();
  return seen.substr(begin, seen.find("\033[?7h", begin) - begin);
}

TEST(Progress, ABarFitsItsTerminal) {
  for (const unsigned short columns : {200, 80, 60, 56}) {
    const std::string line = bar_of(on_terminal(columns, [] {
      Progress progress("distill", 10, "answers");
      half(progress);
    }));
    EXPECT_THAT(line, HasSubstr("━")) << columns;
    EXPECT_THAT(line, HasSubstr("5/10 answers")) << columns;
    EXPECT_THAT(line, HasSubstr(" left")) << columns;
    EXPECT_LT(utf8_count(line), columns);
  }
}

TEST(Progress, ANarrowTerminalHasNumbersOnly) {
  const std::string line = bar_of(on_terminal(30, [] {
    Progress progress("distill", 10, "answers");
    half(progress);
  }));
  EXPECT_THAT(line, Not(HasSubstr("━")));
  EXPECT_THAT(line, HasSubstr("5/10"));
}

TEST(Progress, AnotherLineTakesTheBarsPlace) {
  const std::string seen = on_terminal(80, [] {
    Progress progress("train", 10, "steps");
    half(progress);
    std::fprintf(stderr, "%swarning\n", over_progress());
    std::fprintf(stderr, "%sanother\n", over_progress());
    progress.update(10);
  });
  EXPECT_THAT(seen, HasSubstr("\033[?7h\r\033[Kwarning\r\nanother\r\n"));
  EXPECT_THAT(seen, HasSubstr("10/10 steps"));
}

TEST(Progress, ABarThatStandsEndsItsLineAndNothingElseDoes) {
  EXPECT_EQ(on_terminal(80, [] { Progress("train", 10, "steps").update(0); }), "");
  const std::string seen = on_terminal(80, [] {
    Progress progress("train", 10, "steps");
    half(progress);
  });
  EXPECT_THAT(seen, StartsWith(kDraw));
  EXPECT_EQ(seen.substr(seen.size() - 7), "\033[?7h\r\n");
}

}  // namespace
}  // namespace sdft
