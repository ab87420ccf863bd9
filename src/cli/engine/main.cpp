// sdft-engine: what sdft becomes for the commands that need libtorch.
#include <fmt/format.h>
#include <malloc.h>

#include <csignal>

#include "cli/engine/commands.h"
#include "cli/light/commands.h"
#include "cli/program.h"
#include "tensor/failure.h"
#include "tensor/memory.h"
#include "tensor/ops.h"

namespace {
using namespace sdft;

// Before the libraries' initialisers, which start threads of their own (OpenBLAS): all of them inherit the
// blocked signals that watch_signals() waits for. See base/signals.h.
void block_signals(int, char**, char**) {
  sigset_t watched;
  sigemptyset(&watched);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&watched, signal);
  sigprocmask(SIG_BLOCK, &watched, nullptr);
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_initialisers)(int, char**,
                                                                                char**) = block_signals;

// Passes ask for the same large blocks over and over: they stay with the process and are not given back to
// the system each time, which would have to clear every page of them anew.
void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
  allocate_from_plain_blocks();
}

std::string version() {
  return fmt::format("{}\nlibtorch {}\n\n{}", SDFT_VERSION, kTorchVersion, ops::describe_operations());
}

void add_commands(const cli::Registry& registry) {
  cli::add_demo(registry);
  cli::add_run(registry);
  cli::add_generate(registry);
  cli::add_chat(registry);
  cli::add_new(registry);
  cli::add_serve(registry);
  cli::add_score(registry);
  cli::add_judge(registry);
  cli::add_bench(registry);
  cli::add_preview(registry);
  cli::add_merge(registry);
  cli::add_gguf(registry);
  cli::add_text(registry);
  cli::add_inspect(registry);
  cli::add_convert(registry);
  cli::add_reference(registry);
}
}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  cli::run_program({cli::Program::kEngine, version, add_commands, current_failure}, argc, argv);
}
