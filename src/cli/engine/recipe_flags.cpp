// --recipe, a flag for each of its keys, and words like key=value.
#include <fmt/format.h>

#include "cli/engine/commands.h"
#include "cli/flags.h"

namespace sdft::cli {

Recipe RecipeFlags::read() const {
  std::vector<std::string> all = overrides;
  all.insert(all.end(), words.begin(), words.end());
  return read_recipe(file, all);
}

namespace {
// What has no flag of its own, and the rows of an evaluation task.
std::string help_on_lists() {
  std::string help = "\n\nLists and maps, in the recipe or as KEY=VALUE:\n";
  for (const StructuredSetting& setting : structured_settings()) {
    help += fmt::format("  {:<28}", setting.name);
    for (const char* c = setting.help; *c; ++c)
      help += *c == '\n' ? "\n" + std::string(30, ' ') : std::string(1, *c);
    help += "\n";
  }
  help += "\nOf a task under `eval`, which may have `columns`, too:\n";
  TaskSettings task;
  for (const Setting& setting : task_settings(task)) {
    const std::string value = value_text(setting);
    help += fmt::format("  {:<28}{}{}\n", setting.name, setting.help,
                        value.empty() || value == "0" ? "" : " [" + value + "]");
  }
  return help.substr(0, help.size() - 1);
}
}  // namespace

void add_recipe_flags(CLI::App* command, RecipeFlags* flags) {
  command->footer(command->get_footer() + help_on_lists());
  command->add_option("--recipe", flags->file, "YAML file with settings")->type_name("FILE");
  command->add_option(kSettingWords, flags->words, "settings as key=value; they win over the recipe");
  static Recipe defaults;
  for (const Setting& setting : settings(defaults)) {
    const std::string name = setting.name;
    command
        ->add_option_function<std::string>(
            spelled(name),
            [flags, name](const std::string& value) { flags->overrides.push_back(name + "=" + value); },
            setting.help + (value_text(setting).empty() ? "" : " [" + value_text(setting) + "]"))
        ->group(setting.section)
        ->type_name("");
  }
}

}  // namespace sdft::cli
