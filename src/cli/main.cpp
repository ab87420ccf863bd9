// sdft: fine-tunes a chat model on a task without making it forget what it could do.
#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/printable.h"
#include "base/signals.h"
#include "cli/commands.h"
#include "cli/model_flags.h"
#include "cli/usage.h"
#include "tensor/ops.h"

namespace {
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

using sdft::Error;
using sdft::ExitCode;

// Ends the process without the destructors of static objects: those of libraries can wait for ever where
// memory or threads have run out.
[[noreturn]] void leave(const Error& error) {
  std::fflush(stdout);
  const char* kind = error.code() == ExitCode::kInterrupted ? "" : "error: ";
  std::fprintf(stderr, "sdft: %s%s\n", kind, sdft::printable(error.what()).c_str());
  std::fflush(stderr);
  std::_Exit(static_cast<int>(error.code()));
}

// As base's current_error(), and for what torch throws.
Error current_failure() {
  try {
    throw;
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    if (what.find("out of memory") != std::string::npos ||
        what.find("can't allocate memory") != std::string::npos)
      return sdft::memory_error();
    return Error(ExitCode::kInternal, what);
  } catch (...) {
    return sdft::current_error();
  }
}

// The text of a warning; file names and what files hold are a part of it.
class PrintableText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = sdft::printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PrintableText>(); }
};

void start_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("sdft"));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableText>('*').set_pattern("sdft: %^%l%$: %*");
  spdlog::set_formatter(std::move(formatter));
}

sdft::cli::Action parse(int argc, char** argv) {
  using namespace sdft::cli;
  CLI::App app("Fine-tunes a chat model on a task without making it forget what it could do.", "sdft");
  app.set_version_flag("--version", [] {
    return fmt::format("{}\nlibtorch {}\n\n{}", SDFT_VERSION, sdft::kTorchVersion,
                       sdft::ops::describe_operations());
  });
  app.require_subcommand(1);
  app.footer("Start with: sdft demo\nHelp on a command: sdft run --help");
  Action chosen;
  const Registry registry{app, &chosen};
  add_demo(registry);
  add_run(registry);
  add_generate(registry);
  add_score(registry);
  add_judge(registry);
  add_text(registry);
  add_preview(registry);
  add_model(registry);
  add_gguf(registry);
  try {
    app.parse(argc, argv);
    return chosen;
  } catch (const CLI::ParseError& e) {
    const std::string fault = usage_message(app, e);
    if (!fault.empty()) throw Error(ExitCode::kUsage, fault);
    std::ostringstream help;
    app.exit(e, help, help);
    return [text = help.str()] { write_out(text); };
  }
}

}  // namespace

namespace {
// Passes ask for the same large blocks over and over: they stay with the process and are not given back to
// the system each time, which would have to clear every page of them anew.
void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}
}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  sdft::secure_standard_descriptors();
  // Also for what leaves a function that may not throw.
  std::set_terminate([] {
    leave(std::current_exception() ? current_failure()
                                   : Error(ExitCode::kInternal, "terminated (this is a bug in sdft)"));
  });
  try {
    sdft::watch_signals();
    start_log();
    sdft::chosen_tier();  // an SDFT_ISA that cannot be is told first
    parse(argc, argv)();
    sdft::cli::flush_out();
    std::fflush(stderr);
    std::_Exit(0);  // as leave(), and for the same reason
  } catch (...) {
    leave(current_failure());
  }
}
