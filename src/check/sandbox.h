// Runs Python programs that a model wrote. Each runs alone in a bubblewrap sandbox: its own user, process,
// network, IPC and mount namespaces, /usr to read, a small /tmp to write, no environment, no capabilities, no
// new processes (seccomp), limits on time, memory, files and threads. There is no unsandboxed way to run one.
#pragma once

#include <string>
#include <vector>

namespace sdft {

struct SandboxOptions {
  double seconds = 5;          // wall clock for each program
  size_t memory_mb = 512;      // address space
  size_t file_mb = 4;          // each file; all of /tmp holds four times that
  size_t output_bytes = 8192;  // of what is printed, the last so many are kept
  int threads = 64;            // a program may start
  int jobs = 2;                // programs at a time
  bool packages = false;       // whether Debian's Python packages (numpy, ...) may be imported; starts slower
  std::string bwrap = "bwrap";
  std::string python = "/usr/bin/python3";
};

struct ProgramResult {
  enum Outcome {
    kPassed,    // ran to its last line
    kFailed,    // raised an exception (assertions too), or called sys.exit before its end
    kTimedOut,  // killed after options.seconds
    kCrashed,   // died of a signal or left by os._exit
  };
  Outcome outcome = kCrashed;
  std::string output;  // stdout and stderr together, valid UTF-8
  bool passed() const { return outcome == kPassed; }
};

// Results in the order of the programs. String hashes are fixed, so that a deterministic program stays so.
// Throws Error(kInput) where bubblewrap or Python is missing or may not make namespaces, saying what to
// install or allow. Error(kInterrupted) within a second of an interrupt, all programs killed.
std::vector<ProgramResult> run_python(const std::vector<std::string>& programs,
                                      const SandboxOptions& options = {});

// The errors of run_python() where programs cannot be run on this machine.
void require_sandbox();

}  // namespace sdft
