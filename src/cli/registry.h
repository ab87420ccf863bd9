// The commands: which there are, which program runs each, and how a program makes its own.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace sdft::cli {

// Loading libtorch takes a third of a second: what does without it is run by `sdft` itself, and for all else
// that becomes `sdft-engine`.
enum class Program { kFront, kEngine };

struct Command {
  const char *name, *help;
  Program program;
};
// In the order of `sdft --help`.
const std::vector<Command>& commands();
// The command that the parser will find among the words; null where they name none, or none that is known.
const Command* find_command(int argc, char** argv);

// What is called after parsing.
using Action = std::function<void()>;
struct Registry {
  CLI::App& app;  // with all commands()
  Action* chosen;
  // One of commands(): what it runs. For its flags.
  CLI::App* add(const std::string& name, const std::string& examples, const Action& action) const;
};

}  // namespace sdft::cli
