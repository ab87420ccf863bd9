#include "cli/engine/command_words.h"

#include <algorithm>
#include <map>

#include "cli/engine/commands.h"

namespace sdft::cli {

namespace {
Flag flag_of(const CLI::Option& option, const std::map<std::string, std::vector<std::string>>& settings) {
  Flag flag{option.get_lnames(), option.get_description(), "", false, {}};
  if (option.get_items_expected_max() > 0)
    flag.value = option.get_type_name().empty() ? "VALUE" : option.get_type_name();
  const auto found = flag.names.empty() ? settings.end() : settings.find(flag.names[0]);
  flag.of_recipe = found != settings.end();
  if (flag.of_recipe) flag.values = found->second;
  return flag;
}

CommandWords words_of(const CLI::App& command,
                      const std::map<std::string, std::vector<std::string>>& settings) {
  CommandWords words{command.get_name(), command.get_description(), command.get_footer(), {}, false};
  words.examples = words.examples.substr(0, words.examples.find("\n\n"));  // lists of settings follow
  words.takes_settings = command.get_option_no_throw(kSettingWords) != nullptr;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_lnames().empty() && !option->get_group().empty())
      words.flags.push_back(flag_of(*option, settings));
  if (!words.takes_settings)  // a flag of the same name is its own
    for (Flag& flag : words.flags) flag.of_recipe = false;
  return words;
}
}  // namespace

std::vector<CommandWords> command_words(const CLI::App& app) {
  static Recipe defaults;
  std::map<std::string, std::vector<std::string>> values;
  for (const Setting& setting : settings(defaults))
    values[setting.name] = std::holds_alternative<bool*>(setting.target)
                               ? std::vector<std::string>{"true", "false"}
                               : setting.choices;
  std::vector<CommandWords> list;
  for (const CLI::App* command : app.get_subcommands({})) list.push_back(words_of(*command, values));
  return list;
}

}  // namespace sdft::cli
