#include "check/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <list>

#include "base/error.h"
#include "base/interrupt.h"
#include "check/seccomp.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using Clock = std::chrono::steady_clock;

// What the bootstrap tells: the first byte it prints, and how the program ended.
constexpr char kStarted = '\x01';
constexpr int kEndReached = 77, kRaised = 78;

// Limits itself, then runs the program it reads as a module of its own. Leaving by os._exit passes over what
// threads and exit hooks would still do.
constexpr const char* kBootstrap = R"(
import os, resource, sys
for name, most in zip(('CPU', 'AS', 'FSIZE', 'NPROC', 'NOFILE', 'CORE'), map(int, sys.argv[1:])):
    kind = getattr(resource, 'RLIMIT_' + name)
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))
source = sys.stdin.buffer.read()
sys.argv[:] = ['program.py']
main = sys.modules['__main__'] = type(sys)('__main__')
os.write(1, b'\x01')
status, error = 78, None
try:
    exec(compile(source, 'program.py', 'exec', dont_inherit=True), main.__dict__)
    status = 77
except SystemExit:
    print('sys.exit was called')
except BaseException as raised:
    error = raised.with_traceback(raised.__traceback__.tb_next)
try:
    sys.stdout.flush()
    if error:
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
finally:
    os._exit(status)
)";
constexpr auto kPatience = std::chrono::seconds(30);  // with bubblewrap and Python starting

[[noreturn]] void fail_call(const std::string& what, int error) {
  const bool descriptors = error == EMFILE || error == ENFILE || error == EINVAL;  // EINVAL: fewer than ten
  const bool memory = error == ENOMEM || error == ENOSPC;
  fail_input("sandbox", what + ": " + std::strerror(error),
             descriptors       ? "allow more open files: ulimit -n 1024"
             : error == EAGAIN ? "allow more processes: ulimit -u"
             : memory          ? "free some memory; programs that run take some beside the model"
                               : "");
}

// A file descriptor above the standard ones, closed on exec and at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int opened) {
    if (opened < 0) fail_call("cannot open a pipe or memory file", errno);
    // Out of the way of 0 to 3, which the sandbox gets.
    fd_ = ::fcntl(opened, F_DUPFD_CLOEXEC, 10);
    const int duplicated = errno;
    ::close(opened);
    if (fd_ < 0) fail_call("no file descriptor left", duplicated);
  }
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

Fd memory_file(const std::string& bytes) {
  Fd file(::memfd_create("sdft-sandbox", MFD_CLOEXEC));
  for (size_t at = 0; at < bytes.size();) {
    ssize_t written = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR) fail_call("cannot write a memory file", errno);
    if (written > 0) at += static_cast<size_t>(written);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::vector<std::string> sandbox_command(const SandboxOptions& options) {
  auto megabytes = [](size_t n) { return std::to_string(n * 1000000); };
  std::vector<std::string> command = {options.bwrap,
                                      "--unshare-all",
                                      "--unshare-user",
                                      "--cap-drop",
                                      "ALL",
                                      "--new-session",
                                      "--die-with-parent",
                                      "--clearenv",
                                      "--seccomp",
                                      "3",
                                      "--ro-bind",
                                      "/usr",
                                      "/usr"};
  // On a merged /usr these are links; elsewhere, folders of their own that Python's libraries lie in.
  for (const char* name : {"/lib", "/lib64", "/bin"}) {
    std::error_code ignored;
    if (std::filesystem::is_symlink(name, ignored))
      command.insert(command.end(),
                     {"--symlink", std::filesystem::read_symlink(name, ignored).string(), name});
    else if (std::filesystem::is_directory(name, ignored))
      command.insert(command.end(), {"--ro-bind", name, name});
  }
  command.insert(command.end(), {"--size", megabytes(4 * options.file_mb), "--tmpfs", "/tmp", "--remount-ro",
                                 "/", "--chdir", "/tmp", "--setenv", "PYTHONHASHSEED", "0", "--setenv",
                                 "LC_ALL", "C.UTF-8", options.python, "-s", "-B"});
  if (!options.packages) command.push_back("-S");
  const auto cpu_seconds = static_cast<long long>(std::ceil(options.seconds)) + 1;
  command.insert(command.end(), {"-c", kBootstrap, std::to_string(cpu_seconds), megabytes(options.memory_mb),
                                 megabytes(options.file_mb), std::to_string(options.threads), "64", "0"});
  return command;
}

struct Running {
  size_t index;
  pid_t pid;
  Fd output;
  Clock::time_point deadline;
  std::string text;
  bool started = false;
};

class Pool {
 public:
  Pool(const std::vector<std::string>& programs, const SandboxOptions& options)
      : programs_(programs),
        options_(options),
        command_(sandbox_command(options)),
        filter_(seccomp_filter()),
        results_(programs.size()) {}

  ~Pool() {  // after an error
    for (Running& program : running_) end(program);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::vector<ProgramResult> run() {
    const auto jobs = static_cast<size_t>(std::max(options_.jobs, 1));
    for (size_t next = 0; next < programs_.size() || !running_.empty();) {
      stop_if_interrupted();  // at most one second later; ~Pool kills what runs
      while (next < programs_.size() && running_.size() < jobs) start(next++);
      wait_for_output();
      for (auto program = running_.begin(); program != running_.end();)
        program = advance(*program) ? running_.erase(program) : std::next(program);
    }
    return std::move(results_);
  }

 private:
  void start(size_t index) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_call("cannot make a pipe", errno);
    Fd read_end(ends[0]), write_end(ends[1]);
    ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    const Fd source = memory_file(programs_[index]);
    const Fd filter = memory_file(filter_);
    const pid_t pid = spawn(source.get(), write_end.get(), filter.get());
    running_.push_back({index, pid, std::move(read_end), Clock::now() + kPatience, "", false});
  }

  pid_t spawn(int source, int output, int filter) {
    std::vector<char*> arguments;
    for (std::string& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    char* no_environment[] = {nullptr};

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, source, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawn_file_actions_adddup2(&files, filter, 3);
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);

    pid_t pid = -1;
    int error =
        ::posix_spawnp(&pid, options_.bwrap.c_str(), &files, &attributes, arguments.data(), no_environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error == ENOENT)
      fail_input("sandbox",
                 "generated programs are run in bubblewrap, and '" + options_.bwrap + "' is not there",
                 "install the package bubblewrap, or leave out the tasks that run programs");
    if (error != 0) fail_call("cannot start '" + options_.bwrap + "'", error);
    return pid;
  }

  void wait_for_output() {
    std::vector<pollfd> fds;
    auto next = Clock::time_point::max();
    for (const Running& program : running_) {
      fds.push_back({program.output.get(), POLLIN, 0});
      next = std::min(next, program.deadline);
    }
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
    ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long long>(left + 1, 0, 1000)));
  }

  // Reads what there is; true when the program is over and its result noted.
  bool advance(Running& program) {
    char buffer[1 << 14];
    for (;;) {
      ssize_t got = ::read(program.output.get(), buffer, sizeof buffer);
      if (got == 0) return finish(program, wait_status(program.pid));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) break;  // nothing more for now
      keep(program, std::string_view(buffer, static_cast<size_t>(got)));
      if (Clock::now() >= program.deadline) break;
    }
    if (Clock::now() < program.deadline) return false;
    end(program);
    if (!program.started) fail_start(program.text);
    note(program, ProgramResult::kTimedOut);
    return true;
  }

  void keep(Running& program, std::string_view bytes) {
    if (!program.started && program.text.empty() && bytes.front() == kStarted) {
      program.started = true;
      program.deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                            std::chrono::duration<double>(options_.seconds));
      bytes.remove_prefix(1);
    }
    program.text.append(bytes);
    if (program.text.size() > 2 * options_.output_bytes)
      program.text.erase(0, program.text.size() - options_.output_bytes);
  }

  bool finish(Running& program, int status) {
    program.pid = -1;
    if (!program.started) fail_start(program.text);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    note(program, code == kEndReached     ? ProgramResult::kPassed
                  : code == kRaised       ? ProgramResult::kFailed
                  : code == 128 + SIGXCPU ? ProgramResult::kTimedOut
                                          : ProgramResult::kCrashed);
    return true;
  }

  void note(Running& program, ProgramResult::Outcome outcome) {
    if (program.text.size() > options_.output_bytes)
      program.text.erase(0, program.text.size() - options_.output_bytes);
    results_[program.index] = {outcome, to_utf8(code_points(program.text))};
  }

  [[noreturn]] void fail_start(const std::string& said) const {
    std::string what = collapse_space(said);
    if (what.empty()) what = "it said nothing";
    std::string hint;
    if (what.find("execvp " + options_.python) != std::string::npos)
      hint = "install the package python3";
    else if (what.compare(0, 21, "bwrap: Unknown option") == 0)
      hint = "it needs bubblewrap 0.7 or newer";
    else if (what.compare(0, 6, "bwrap:") == 0)
      hint =
          "it needs unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 on Debian, "
          "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, in Docker --security-opt "
          "seccomp=unconfined; "
          "or leave out the tasks that run programs";
    fail_input("sandbox", "bubblewrap cannot run a program: " + what, hint);
  }

  static int wait_status(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  // Kills bubblewrap; its sandbox dies with it, all processes of its process namespace included.
  static void end(Running& program) {
    if (program.pid <= 0) return;
    ::kill(-program.pid, SIGKILL);
    wait_status(program.pid);
    program.pid = -1;
  }

  const std::vector<std::string>& programs_;
  const SandboxOptions& options_;
  std::vector<std::string> command_;
  std::string filter_;
  std::list<Running> running_;
  std::vector<ProgramResult> results_;
};

}  // namespace

std::vector<ProgramResult> run_python(const std::vector<std::string>& programs,
                                      const SandboxOptions& options) {
  return Pool(programs, options).run();
}

void require_sandbox() { run_python({"pass"}); }

}  // namespace sdft
