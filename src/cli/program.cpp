#include "cli/program.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <sstream>

#include "base/printable.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/terminal.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "tensor/cpu/tier.h"

namespace sdft::cli {

namespace {
// The text of a warning; file names and what files hold are a part of it.
class PrintableText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PrintableText>(); }
};

// Where a line begins: a warning stands in a bar's place, not behind it.
class OverProgress : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string_view begin = over_progress();
    out.append(begin.data(), begin.data() + begin.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<OverProgress>(); }
};

void start_log() {
  const auto colours = shows_colours(2) ? spdlog::color_mode::automatic : spdlog::color_mode::never;
  spdlog::set_default_logger(spdlog::stderr_color_mt("sdft", colours));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableText>('*').add_flag<OverProgress>('<').set_pattern("%<sdft: %^%l%$: %*");
  spdlog::set_formatter(std::move(formatter));
}

// All commands by name and help, so that whoever is asked lists them and finds the nearest name.
void add_names(CLI::App& app, Program program) {
  for (const Command& command : commands()) {
    CLI::App* added = app.add_subcommand(command.name, command.help);
    if (command.program == program || program == Program::kEngine) continue;  // which has them all
    added->allow_extras();
    added->callback([name = std::string(command.name)] {
      fail_usage(name + " is a command of the other program", "sdft runs all commands");
    });
  }
}

Action parse(const ProgramParts& parts, int argc, char** argv) {
  CLI::App app("Fine-tunes a chat model on a task without making it forget what it could do.", "sdft");
  app.set_version_flag("--version", parts.version);
  app.require_subcommand(1);
  app.footer("Start with: sdft demo\nHelp on a command: sdft help run");
  add_names(app, parts.program);
  Action chosen;
  parts.add_commands({app, &chosen});
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

Error (*failure)() = current_error;
}  // namespace

void leave(const Error& error) {
  std::fflush(stdout);
  const char* kind = error.code() == ExitCode::kInterrupted ? "" : "error: ";
  std::fprintf(stderr, "%ssdft: %s%s\n", over_progress(), kind, printable(error.what()).c_str());
  std::fflush(stderr);
  std::_Exit(static_cast<int>(error.code()));
}

void run_program(const ProgramParts& parts, int argc, char** argv) {
  secure_standard_descriptors();
  failure = parts.failure;
  // Also for what leaves a function that may not throw.
  std::set_terminate([] {
    leave(std::current_exception() ? failure()
                                   : Error(ExitCode::kInternal, "terminated (this is a bug in sdft)"));
  });
  try {
    watch_signals();
    start_log();
    chosen_tier();  // an SDFT_ISA that cannot be is told first
    parse(parts, argc, argv)();
    flush_out();
    std::fflush(stderr);
    std::_Exit(0);  // as leave(), and for the same reason
  } catch (...) {
    leave(failure());
  }
}

}  // namespace sdft::cli
