// sdft: fine-tunes a chat model on a task without making it forget what it could do.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <new>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/usage.h"
#include "tensor/torch_compat.h"

namespace {

extern "C" void on_signal(int) {
  // The second one ends the program at once.
  if (sdft::interrupted.exchange(true)) std::_Exit(130);
}

int report(sdft::ExitCode code, const std::string& message) {
  std::fprintf(stderr, "sdft: %s%s\n",
               code == sdft::ExitCode::kInterrupted ? "" : "error: ", message.c_str());
  return static_cast<int>(code);
}

int run(const sdft::cli::Action& action) {
  using sdft::ExitCode;
  try {
    action();
    if (std::fflush(stdout) != 0) return report(ExitCode::kInput, "cannot write to standard output");
    return 0;
  } catch (const sdft::Error& e) {
    return report(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return report(ExitCode::kDevice,
                  "out of memory (lower per_device_train_batch_size, cutoff_len or generation_batch_size)");
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    const bool memory = what.find("out of memory") != std::string::npos ||
                        what.find("can't allocate memory") != std::string::npos;
    return report(memory ? ExitCode::kDevice : ExitCode::kInternal, what);
  } catch (const std::exception& e) {
    return report(ExitCode::kInternal, std::string(e.what()) + " (this is a bug in sdft)");
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sdft::cli;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_mt("sdft"));
  spdlog::set_pattern("sdft: %^%l%$: %v");

  CLI::App app("Fine-tunes a chat model on a task without making it forget what it could do.", "sdft");
  app.set_version_flag("--version", SDFT_VERSION);
  app.require_subcommand(1);
  app.footer("Start with: sdft demo\nHelp on a command: sdft run --help");
  Action chosen;
  const Registry registry{app, &chosen};
  add_demo(registry);
  add_run(registry);
  add_generate(registry);
  add_score(registry);
  add_text(registry);
  add_preview(registry);
  add_model(registry);
  add_gguf(registry);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return report(sdft::ExitCode::kUsage, usage_message(app, e));
  }
  return run(chosen);
}
