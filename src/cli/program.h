// What the programs share around their commands: the log, signals, the command line, how they end.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/registry.h"

namespace sdft::cli {

struct ProgramParts {
  Program program;
  std::string (*version)();               // of --version
  void (*add_commands)(const Registry&);  // those of commands() that are this program's
  Error (*failure)();  // the exception being handled: current_error(), and what libraries throw
};
// All of main(). Descriptors, signals and the log are set up in here.
[[noreturn]] void run_program(const ProgramParts& parts, int argc, char** argv);

// Says why on stderr and ends the process with the error's code, without the destructors of static objects:
// those of libraries can wait for ever where memory or threads have run out.
[[noreturn]] void leave(const Error& error);

}  // namespace sdft::cli
