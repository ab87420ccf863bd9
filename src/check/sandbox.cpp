#include "check/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
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
#include <map>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "check/judge_python.h"
#include "check/seccomp.h"
#include "check/values_python.h"
#include "data/code_points.h"

namespace sdft {
namespace {

using Clock = std::chrono::steady_clock;

// What both processes run, compiled once for all programs and read from this descriptor.
constexpr const char* kCompile =
    "import marshal, sys\n"
    "open(4, 'wb').write(marshal.dumps(compile(sys.stdin.read(), 'judge.py', 'exec')))";
constexpr const char* kRun = "exec(__import__('marshal').loads(open(5, 'rb').read()))";
constexpr char kStarted = '\x01';  // the judge's first byte; then a word, a line break, what more to say and:
constexpr char kVerdictEnd = '\0';
constexpr std::pair<std::string_view, ProgramResult::Outcome> kVerdicts[] = {
    {"passed", ProgramResult::kPassed},      {"failed", ProgramResult::kFailed},
    {"timed_out", ProgramResult::kTimedOut}, {"crashed", ProgramResult::kCrashed},
    {"bad_reply", ProgramResult::kBadReply}, {"unsupported_value", ProgramResult::kUnsupported},
    {"bad_tests", ProgramResult::kBadTests},
};
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
    // Out of the way of 0 to 5, which the sandbox gets.
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

std::string megabytes(size_t n) { return std::to_string(n * 1000000); }

// bubblewrap and Python, but for what Python runs.
std::vector<std::string> sandbox_command(const SandboxOptions& options) {
  std::vector<std::string> command = {options.bwrap,
                                      "--unshare-all",
                                      "--unshare-user",
                                      "--uid",
                                      "65534",
                                      "--gid",
                                      "65534",
                                      "--hostname",
                                      "sandbox",
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
  return command;
}

// What the judge takes: the filter from the start of the program on, and limits.
std::vector<std::string> judge_arguments(const SandboxOptions& options) {
  std::string rules;
  for (unsigned char byte : seccomp_filter(SandboxStage::kRun)) rules += fmt::format("{:02x}", byte);
  const auto cpu_seconds = static_cast<long long>(std::ceil(options.seconds)) + 1;
  return {rules,
          std::to_string(cpu_seconds),
          megabytes(options.memory_mb),
          megabytes(options.file_mb),
          std::to_string(options.threads),
          "64",
          "0"};
}

// A program as values_python.h reads it.
std::string encoded(const Program& program) {
  auto text = [](const std::string& bytes) {
    const std::string utf8 = to_utf8(code_points(bytes));
    return fmt::format("s{}:", utf8.size()) + utf8;
  };
  auto list = [&](const std::vector<std::string>& names) {
    std::string parts = fmt::format("l{}:", names.size());
    for (const std::string& name : names) parts += text(name);
    return parts;
  };
  return fmt::format("u5:b{}:", program.code.size()) + program.code + text(program.tests) +
         text(program.helpers) + list(program.functions) + list(program.classes);
}

struct Pipe {
  Fd read_end, write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_call("cannot make a pipe", errno);
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(pipe.read_end.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// What there is to read, added to the text; false at the end.
bool read_more(const Fd& from, std::string* text, size_t most = 1 << 20) {
  char buffer[1 << 14];
  for (size_t all = 0; all < most;) {
    const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
    if (got == 0) return false;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;  // nothing more for now
    text->append(buffer, static_cast<size_t>(got));
    all += static_cast<size_t>(got);
  }
  return true;
}

struct Running {
  size_t index;
  pid_t pid;
  Fd output, verdict;
  Clock::time_point deadline;
  std::string printed = "", said = "";  // by all, by the judge
  bool started = false;
};

class Pool {
 public:
  Pool(const std::vector<Program>& programs, const SandboxOptions& options)
      : programs_(programs),
        options_(options),
        sandbox_(sandbox_command(options)),
        run_(sandbox_),
        filter_(seccomp_filter(SandboxStage::kStart)),
        results_(programs.size()) {
    run_.insert(run_.end(), {"-c", kRun});
    for (std::string& argument : judge_arguments(options)) run_.push_back(std::move(argument));
  }

  ~Pool() {  // after an error
    for (Running& program : running_) end(&program);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::vector<ProgramResult> run() {
    const unsigned processors = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    const size_t jobs = options_.jobs > 0 ? static_cast<size_t>(options_.jobs) : processors;
    if (!programs_.empty()) judge_ = compiled();
    for (size_t next = 0; next < programs_.size() || !running_.empty();) {
      stop_if_interrupted();  // at most one second later; ~Pool kills what runs
      while (next < programs_.size() && running_.size() < jobs) start(next++);
      wait_for_output();
      for (auto program = running_.begin(); program != running_.end();)
        program = advance(&*program) ? running_.erase(program) : std::next(program);
    }
    return std::move(results_);
  }

 private:
  // The code of both processes, kept: compiling it takes longer than starting Python.
  std::string compiled() {
    std::vector<std::string> command = sandbox_;
    command.insert(command.end(), {"-c", kCompile});
    static std::map<std::vector<std::string>, std::string> known;
    if (const auto found = known.find(command); found != known.end()) return found->second;
    const Fd source = memory_file(std::string(kValuesPython) + kJudgePython);
    spawn(0, command, source, nullptr);
    Running& compiler = running_.back();
    for (bool printing = true; printing;) {
      stop_if_interrupted();
      if (Clock::now() > compiler.deadline) fail_start(compiler.printed);
      wait_for_output();
      printing = read_more(compiler.output, &compiler.printed);
      read_more(compiler.verdict, &compiler.said);
    }
    const int status = wait_status(std::exchange(compiler.pid, -1));
    const std::string code = std::move(compiler.said), printed = std::move(compiler.printed);
    running_.clear();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || code.empty()) fail_start(printed);
    return known[command] = code;
  }

  void start(size_t index) {
    const Fd program = memory_file(encoded(programs_[index])), judge = memory_file(judge_);
    spawn(index, run_, program, &judge);
  }

  // bubblewrap: reads `input`, has the judge's code on descriptor 5.
  void spawn(size_t index, std::vector<std::string>& command, const Fd& input, const Fd* judge) {
    Pipe output = make_pipe(), verdict = make_pipe();
    const Fd filter = memory_file(filter_);
    std::vector<int> descriptors = {input.get(), output.write_end.get(), output.write_end.get(), filter.get(),
                                    verdict.write_end.get()};
    if (judge) descriptors.push_back(judge->get());
    const pid_t pid = spawn(command, descriptors);
    running_.push_back(
        {index, pid, std::move(output.read_end), std::move(verdict.read_end), Clock::now() + kPatience});
  }

  pid_t spawn(std::vector<std::string>& command, const std::vector<int>& descriptors) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    char* no_environment[] = {nullptr};

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const int count = static_cast<int>(descriptors.size());
    for (int i = 0; i < count; ++i)
      posix_spawn_file_actions_adddup2(&files, descriptors[static_cast<size_t>(i)], i);
    posix_spawn_file_actions_addclosefrom_np(&files, count);
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
      // At its end a verdict would wake this up again and again.
      if (program.said.find(kVerdictEnd) == std::string::npos)
        fds.push_back({program.verdict.get(), POLLIN, 0});
      next = std::min(next, program.deadline);
    }
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
    ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long long>(left + 1, 0, 1000)));
  }

  // Reads what there is; true when the program is over and its result noted.
  bool advance(Running* program) {
    read_more(program->verdict, &program->said);
    const bool decided = program->said.find(kVerdictEnd) != std::string::npos;
    const bool ended = !read_more(program->output, &program->printed);
    if (program->printed.size() > 2 * options_.output_bytes && program->started)
      program->printed.erase(0, program->printed.size() - options_.output_bytes);
    if (!program->started && program->said.compare(0, 1, &kStarted, 1) == 0) {
      program->started = true;
      program->deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(options_.seconds));
    }
    if (decided) return finish(program, -1);
    if (ended) {
      read_more(program->verdict, &program->said);  // said between the two
      const int status = wait_status(program->pid);
      program->pid = -1;
      return finish(program, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (Clock::now() < program->deadline) return false;
    if (!program->started) fail_start(program->printed);
    return finish(program, 128 + SIGXCPU);
  }

  // By what the judge said, or where it said nothing, by how it ended.
  bool finish(Running* program, int code) {
    end(program);
    std::string_view said = program->said;
    const size_t stop = said.find(kVerdictEnd);
    if (said.empty() || said[0] != kStarted) fail_start(program->printed);
    ProgramResult result;
    result.outcome = code == 128 + SIGXCPU ? ProgramResult::kTimedOut : ProgramResult::kCrashed;
    if (stop != std::string_view::npos) {
      said = said.substr(1, stop - 1);
      const size_t line = std::min(said.find('\n'), said.size());
      for (const auto& [word, outcome] : kVerdicts)
        if (said.substr(0, line) == word) result.outcome = outcome;
      result.what = to_utf8(code_points(said.substr(std::min(line + 1, said.size()))));
    }
    if (program->printed.size() > options_.output_bytes)
      program->printed.erase(0, program->printed.size() - options_.output_bytes);
    result.output = to_utf8(code_points(program->printed));
    results_[program->index] = std::move(result);
    return true;
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
  static void end(Running* program) {
    if (program->pid <= 0) return;
    ::kill(-program->pid, SIGKILL);
    wait_status(program->pid);
    program->pid = -1;
  }

  const std::vector<Program>& programs_;
  const SandboxOptions& options_;
  std::vector<std::string> sandbox_, run_;  // command lines: bubblewrap and Python; that with the judge
  std::string filter_, judge_;
  std::list<Running> running_;
  std::vector<ProgramResult> results_;
};

}  // namespace

std::vector<ProgramResult> run_programs(const std::vector<Program>& programs, const SandboxOptions& options) {
  return Pool(programs, options).run();
}

void require_sandbox() { run_programs({{"pass"}}); }

}  // namespace sdft
