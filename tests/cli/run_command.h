// Runs the real executable.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

namespace sdft::testing {

struct CommandResult {
  int exit_code = -1;  // -1: it did not end by itself
  int signal = 0;      // that killed it
  std::string out, err;
};

// One running `sdft`; standard input is written and both outputs are read while it runs.
class Command {
 public:
  // out_path: where standard output goes instead ("/dev/full").
  explicit Command(const std::vector<std::string>& args, const std::string& input = "",
                   const char* out_path = nullptr, const char* binary = SDFT_BINARY)
      : input_(input) {
    int in[2], out[2], err[2];
    if (::pipe2(in, O_CLOEXEC) || ::pipe2(out, O_CLOEXEC) || ::pipe2(err, O_CLOEXEC))
      ADD_FAILURE() << "no pipe";
    std::vector<char*> argv = {const_cast<char*>(binary)};
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      if (out_path) out[1] = ::open(out_path, O_WRONLY);
      if (::dup2(in[0], 0) < 0 || ::dup2(out[1], 1) < 0 || ::dup2(err[1], 2) < 0) ::_exit(126);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in[0]), ::close(out[1]), ::close(err[1]);
    in_ = in[1], out_ = out[0], err_ = err[0];
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~Command() {
    if (pid_ > 0) kill(SIGKILL), wait(1);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  void kill(int signal) { ::kill(pid_, signal); }

  // Goes on for so long at most; true where it has ended.
  bool run_for(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (out_ >= 0 || err_ >= 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now())
              .count();
      if (left <= 0) return false;
      pollfd wanted[3] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {in_, POLLOUT, 0}};
      if (::poll(wanted, 3, static_cast<int>(left)) < 0) continue;
      if (wanted[0].revents) drain(&out_, &result_.out);
      if (wanted[1].revents) drain(&err_, &result_.err);
      if (wanted[2].revents) feed();
    }
    return true;
  }

  // Its end; killed where that takes longer.
  CommandResult wait(double seconds = 300) {
    if (pid_ <= 0) return result_;
    if (!run_for(seconds)) {
      kill(SIGKILL);
      run_for(10);
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    if (in_ >= 0) ::close(in_);
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    return result_;
  }
  const std::string& out() const { return result_.out; }

 private:
  static void drain(int* fd, std::string* to) {
    char bytes[1 << 16];
    const ssize_t count = ::read(*fd, bytes, sizeof bytes);
    if (count > 0) return void(to->append(bytes, static_cast<size_t>(count)));
    ::close(*fd);
    *fd = -1;
  }
  void feed() {
    const ssize_t count = written_ < input_.size() ? ::write(in_, input_.data() + written_,
                                                             std::min<size_t>(input_.size() - written_, 4096))
                                                   : -1;
    if (count > 0) return void(written_ += static_cast<size_t>(count));
    ::close(in_);
    in_ = -1;
  }

  std::string input_;
  size_t written_ = 0;
  pid_t pid_ = 0;
  int in_ = -1, out_ = -1, err_ = -1;
  CommandResult result_;
};

inline CommandResult run_command(const std::vector<std::string>& args, const std::string& input = "",
                                 const char* out_path = nullptr) {
  return Command(args, input, out_path).wait();
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace sdft::testing
