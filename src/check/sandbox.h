// Runs Python programs that a model wrote, and the tests that say whether they are right. Each program runs
// alone in a bubblewrap sandbox: its own user, process, network, IPC and mount namespaces, not as root, /usr
// to read, a small /tmp to write, no environment, no capabilities, only the system calls that CPython needs
// (seccomp.h), limits on time, memory, files and threads. There is no unsandboxed way to run one.
//
// The tests run in a process of their own, beside the program's in the same sandbox, and the verdict comes
// from there: the program's process sees neither the tests nor the descriptor of the verdict, and of what its
// functions return only plain values reach the tests (judge_python.h, values_python.h).
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
  int jobs = 0;                // programs at a time; 0: one a processor, at most 8
  bool packages = false;       // whether Debian's Python packages (numpy, ...) may be imported; starts slower
  std::string bwrap = "bwrap";
  std::string python = "/usr/bin/python3";
};

// What is judged. The tests know the functions, classes, exceptions, constants and modules of the program by
// name; builtins stay Python's own, unless `functions` or `classes` has the name.
struct Program {
  std::string code = {};  // from the model; its __name__ is "program", so that a main block does not run
  std::string tests =
      {};  // trusted: Python that runs to its end where the program is right; "" loads it only
  std::string helpers =
      {};  // trusted: run before the tests; their functions and imports come before the code's
  // What trusted text says that the program defines. Where it says nothing, any class that the tests name may
  // give them objects; else only those of `classes`.
  std::vector<std::string> functions = {};
  std::vector<std::string> classes = {};
};

struct ProgramResult {
  enum Outcome {
    kPassed,       // the tests ran to their end
    kFailed,       // program or tests raised an exception, or called sys.exit
    kTimedOut,     // killed after options.seconds
    kCrashed,      // a process died of a signal or left by os._exit
    kUnsupported,  // an argument or a result is nothing that the tests may see: `what` says which
    kBadReply,     // the program's process did not keep to the protocol
    kBadTests,     // the helpers or the tests are no Python that runs: not the program's fault
  };
  Outcome outcome = kCrashed;
  std::string what = {};    // in few words, where there is more to say: "AssertionError"
  std::string output = {};  // stdout and stderr of both processes together, valid UTF-8
  bool passed() const { return outcome == kPassed; }
};

// Results in the order of the programs. String hashes are fixed, so that a deterministic program stays so.
// Throws Error(kInput) where bubblewrap or Python is missing or may not make namespaces, saying what to
// install or allow. Error(kInterrupted) within a second of an interrupt, all programs killed.
std::vector<ProgramResult> run_programs(const std::vector<Program>& programs,
                                        const SandboxOptions& options = {});

// The errors of run_programs() where programs cannot be run on this machine.
void require_sandbox();

}  // namespace sdft
