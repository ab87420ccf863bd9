// What the command line takes, read off its parser: for completions and the manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sdft::cli {

struct Flag {
  std::vector<std::string> names;   // "lora_rank", "lora-rank": without dashes
  std::string help, value;          // `value`: "FILE", or "" of a switch
  bool of_recipe = false;           // a setting's
  std::vector<std::string> values;  // that it may have; none: any
};

struct CommandWords {
  std::string name, help, examples;
  std::vector<Flag> flags;
  bool takes_settings = false;  // as key=value
};

// In the order of `--help`; hidden flags are left out.
std::vector<CommandWords> command_words(const CLI::App& app);

// A script for bash, zsh or fish.
std::string completions(const std::string& shell, const std::vector<CommandWords>& commands);
// roff, for man.
std::string manual_page(const std::vector<CommandWords>& commands);
// Markdown; of these settings only, where names are given. Error(kUsage) for one that is not known.
std::string settings_reference(const std::vector<std::string>& names);

}  // namespace sdft::cli
