// The system-call filter of the sandbox.
#pragma once

#include <string>

namespace sdft {

// A BPF program, as bwrap --seccomp reads it: no new processes (threads may be started), no further
// namespaces or mounts, no tracing, no keys, none of the calls that widen the kernel's surface. Such calls
// fail with EPERM.
std::string seccomp_filter();

}  // namespace sdft
