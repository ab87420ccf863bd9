// SIGINT, SIGTERM and SIGHUP set `interrupted` from a thread of their own. No handler of ours may run on a
// thread that computes: oneDNN's kernels point the stack register into the heap for a while, and the kernel
// writes a handler's frame wherever that register points.
#pragma once

namespace sdft {

// To be called once, at the start of main(). The threads that come later inherit the blocked signals, so that
// only the waiting thread gets them; a program whose libraries start threads before main() blocks the three
// even earlier (cli/engine/main.cpp). The first signal sets `interrupted`, one that
// comes while it is set ends the process at once with exit code 130. SIGHUP stays ignored where it was
// (nohup). SIGPIPE and SIGXFSZ become errors of the write in question. Child processes need an empty signal
// mask (see check/sandbox.cpp).
void watch_signals();

// Descriptors 0 to 2 that are closed get /dev/null, so that no file takes their place and is written with
// progress or answers. Reading from such a one meets the end; writing to standard output fails, as it would
// closed, and standard error takes everything. To be called before anything is opened.
void secure_standard_descriptors();

}  // namespace sdft
