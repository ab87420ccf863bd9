// The system-call filter of the sandbox.
#pragma once

#include <string>

namespace sdft {

enum class SandboxStage {
  kStart,  // bubblewrap starts Python, which starts the process of the program
  kRun,    // from then on: no new process and no other program in one that is there
};

// A BPF program, as bwrap --seccomp reads it and prctl(PR_SET_SECCOMP) takes it: the list of the calls that
// CPython needs. All others fail with EPERM (sockets, System V and POSIX message queues and memory, keys,
// namespaces, mounts, tracing, memory files, ...), those newer than the list with ENOSYS, as on an old
// kernel.
std::string seccomp_filter(SandboxStage stage);

}  // namespace sdft
