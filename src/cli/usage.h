// What is said about a command line that was not understood.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sdft::cli {

// The words of a command that sets a recipe's keys, as CLI11 knows them.
inline constexpr const char* kSettingWords = "settings";

// "unknown flag --learning_rte; did you mean --learning_rate? (sdft run --help)"; "" where help was asked for
// with words that are all known.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error);

}  // namespace sdft::cli
