#include "cli/usage.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace sdft::cli {

namespace {
// The part of "--name=value" that names the flag.
std::string flag_of(const std::string& word) { return word.substr(0, word.find('=')); }

std::string unknown(const std::string& kind, const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return "unknown " + kind + " " + word + (near.empty() ? "" : "; did you mean " + near + "?");
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// Unknown flags; where there are none, the words that nobody takes.
std::string unexpected(const CLI::App& command) {
  std::vector<std::string> words = command.remaining();
  std::reverse(words.begin(), words.end());  // as they were written
  const std::vector<std::string> flags = flags_of(command);
  std::string text, others;
  for (const std::string& word : words) {
    if (word.size() > 1 && word[0] == '-') {
      text += (text.empty() ? "" : "\n  ") + unknown("flag", flag_of(word), flags);
    } else {
      others += (others.empty() ? "" : ", ") + ("'" + word + "'");
    }
  }
  return text.empty() ? "not expected: " + others : text;
}

std::string of_command(const CLI::App& command, const std::string& what) {
  return what.empty() ? "" : what + " (sdft " + command.get_name() + " --help)";
}

// A word where the name of a command belongs, or "".
std::string unknown_command(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (words.empty()) return "";
  const bool flag = words[0].size() > 1 && words[0][0] == '-';
  return (flag ? unknown("flag", flag_of(words[0]), flags_of(app))
               : unknown("command", words[0], commands_of(app))) +
         " (sdft --help lists the commands)";
}

// Words among a recipe's settings that set nothing, or "".
std::string no_setting(const CLI::App& command) {
  const CLI::Option* words = command.get_option_no_throw(kSettingWords);
  for (const std::string& word : words ? words->results() : std::vector<std::string>())
    if (word.find('=') == std::string::npos) return "'" + word + "': expected key=value";
  return "";
}
}  // namespace

std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const bool helps = error.get_exit_code() == 0;  // --help, --version
  if (std::string what = unknown_command(app); !what.empty()) return what;
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  if (parsed.empty()) return helps ? "" : "a command is missing (sdft --help lists them)";
  const CLI::App& command = *parsed[0];
  if (!command.remaining().empty()) return of_command(command, unexpected(command));
  return of_command(command, helps ? no_setting(command) : error.what());
}

}  // namespace sdft::cli
