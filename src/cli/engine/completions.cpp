// Completions for bash, zsh and fish. A setting's values are offered behind its flag and behind `key=`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/error.h"
#include "cli/engine/command_words.h"

namespace sdft::cli {

namespace {
// The text in single quotes, each of `special` behind a backslash.
std::string quoted(const std::string& text, const char* special, const char* quote) {
  std::string out = "'";
  for (const char c : text.substr(0, text.find('\n'))) {
    if (c == '\'') {
      out += quote;
      continue;
    }
    if (std::string(special).find(c) != std::string::npos) out += '\\';
    out += c;
  }
  return out + "'";
}

// Each setting that some command takes, and its values.
std::map<std::string, std::vector<std::string>> settings_of(const std::vector<CommandWords>& commands) {
  std::map<std::string, std::vector<std::string>> settings;
  for (const CommandWords& command : commands)
    for (const Flag& flag : command.flags)
      if (flag.of_recipe) settings[flag.names[0]] = flag.values;
  return settings;
}

std::vector<std::string> keys_of(const std::vector<CommandWords>& commands) {
  std::vector<std::string> keys;
  for (const auto& [key, values] : settings_of(commands)) keys.push_back(key + "=");
  return keys;
}

// COMP_WORDBREAKS has '=': "device=cp" comes as three words.
constexpr const char* kBash = R"bash(_sdft() {
  local words=("${COMP_WORDS[@]:0:COMP_CWORD}") cur=${COMP_WORDS[COMP_CWORD]} key= command= word
  local commands= flags= keys= switches=
  COMPREPLY=()
  for word in "${words[@]:1}"; do
    [[ $word != -* && $word != help ]] && { command=$word; break; }
  done
  _sdft_command "$command"
  if [[ $cur == = ]]; then
    key=${words[-1]} cur=
  elif [[ ${words[-1]} == = ]]; then
    key=${words[-2]}
  elif [[ ${words[-1]} == --* && " $switches " != *" ${words[-1]} "* ]]; then
    key=${words[-1]}
  fi
  if [[ $key ]]; then
    key=${key#--}
    COMPREPLY=($(compgen -W "$(_sdft_values "${key//-/_}")" -- "$cur"))
  elif [[ ! $command ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ $cur && $keys ]]; then
    COMPREPLY=($(compgen -W "$keys" -- "$cur"))
    [[ ${#COMPREPLY[@]} == 1 ]] && compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -o default -F _sdft sdft
)bash";

std::string for_bash(const std::vector<CommandWords>& commands) {
  std::string cases, names, values;
  for (const CommandWords& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    std::string flags, switches;
    for (const Flag& flag : command.flags) {
      flags += " --" + flag.names[0];
      if (flag.value.empty()) switches += " --" + flag.names[0];
    }
    cases += fmt::format("    {}) flags=\"{}\" switches=\"{}\"{} ;;\n", command.name, flags.substr(1),
                         switches.empty() ? "" : switches.substr(1),
                         command.takes_settings ? " keys=$settings" : "");
  }
  for (const auto& [key, list] : settings_of(commands))
    if (!list.empty()) values += fmt::format("    {}) echo \"{}\" ;;\n", key, fmt::join(list, " "));
  return fmt::format(
             "# bash completion of sdft, made by: sdft completions bash\n"
             "_sdft_values() {{\n  case $1 in\n{}  esac\n}}\n"
             "# Sets flags, switches, keys of _sdft.\n"
             "_sdft_command() {{\n  local settings=\"{}\"\n  commands=\"{}\"\n  case $1 in\n{}  esac\n}}\n",
             values, fmt::join(keys_of(commands), " "), names, cases) +
         kBash;
}

std::string for_zsh(const std::vector<CommandWords>& commands) {
  std::string names, cases, values;
  for (const CommandWords& command : commands) {
    names += "    " + quoted(command.name + ":" + command.help, "", "'\\''") + "\n";
    cases += "    " + command.name + ") _arguments -S";
    for (const Flag& flag : command.flags) {
      std::string text = quoted(flag.help, "[]:\\", "'\\''");
      text = text.substr(1, text.size() - 2);
      const std::string taken =
          flag.values.empty() ? "_files" : fmt::format("({})", fmt::join(flag.values, " "));
      cases += fmt::format(" \\\n      '--{}[{}]{}'", flag.names[0], text,
                           flag.value.empty() ? "" : ":value:" + taken);
    }
    cases += fmt::format(" \\\n      '*:word:{}' ;;\n", command.takes_settings ? "_sdft_setting" : "_files");
  }
  for (const auto& [key, list] : settings_of(commands))
    if (!list.empty())
      values += fmt::format("      {}=*) compset -P '*='; compadd {} ;;\n", key, fmt::join(list, " "));
  return fmt::format(
      "#compdef sdft\n# zsh completion of sdft, made by: sdft completions zsh\n"
      "_sdft_setting() {{\n  case $PREFIX in\n{}"
      "      *=*) compset -P '*='; _files ;;\n"
      "      *) compadd -S '' -- {} ;;\n  esac\n}}\n"
      "_sdft() {{\n  local -a commands=(\n{}  )\n"
      "  (( CURRENT == 2 )) && {{ _describe command commands; return; }}\n"
      "  local command=$words[2]\n  shift words; (( CURRENT-- ))\n"
      "  case $command in\n{}  esac\n}}\n"
      "[[ $funcstack[1] == _sdft ]] && _sdft \"$@\" || compdef _sdft sdft\n",
      values, fmt::join(keys_of(commands), " "), names, cases);
}

std::string for_fish(const std::vector<CommandWords>& commands) {
  const auto text = [](const std::string& help) { return quoted(help, "\\", "\\'"); };
  std::string script = "# fish completion of sdft, made by: sdft completions fish\n", with_settings;
  for (const CommandWords& command : commands) {
    script += fmt::format("complete -c sdft -f -n __fish_use_subcommand -a {} -d {}\n", command.name,
                          text(command.help));
    if (command.takes_settings) with_settings += " " + command.name;
    for (const Flag& flag : command.flags)
      script += fmt::format("complete -c sdft -n '__fish_seen_subcommand_from {}' -l {} -d {}{}\n",
                            command.name, flag.names[0], text(flag.help),
                            flag.value.empty()    ? ""
                            : flag.values.empty() ? " -r"
                                                  : fmt::format(" -x -a '{}'", fmt::join(flag.values, " ")));
  }
  for (const auto& [key, values] : settings_of(commands)) {
    std::string words = key + "=";
    for (const std::string& value : values) words += " " + key + "=" + value;
    script +=
        fmt::format("complete -c sdft -n '__fish_seen_subcommand_from{}' -a '{}'\n", with_settings, words);
  }
  return script;
}
}  // namespace

std::string completions(const std::string& shell, const std::vector<CommandWords>& commands) {
  return shell == "bash" ? for_bash(commands) : shell == "zsh" ? for_zsh(commands) : for_fish(commands);
}

}  // namespace sdft::cli
