// settings, completions, man: what the tables of commands and settings say, for people and shells.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/engine/command_words.h"
#include "cli/engine/commands.h"
#include "cli/output.h"

namespace sdft::cli {

namespace {
// A cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*') out += '\\';
    out += c == '\n' ? "<br>" : std::string(1, c);
  }
  return out;
}

std::string settings_table(const std::vector<Setting>& settings) {
  std::string text = "\n| setting | default | may be | meaning |\n|---|---|---|---|\n";
  for (const Setting& setting : settings) {
    const std::string value = value_text(setting);
    text += fmt::format("| `{}` | {} | {} | {} |\n", setting.name, value.empty() ? "" : "`" + value + "`",
                        cell(allowed_text(setting)), cell(setting.help));
  }
  return text;
}

std::vector<Setting> in_section(const std::vector<Setting>& all, const std::string& section) {
  std::vector<Setting> part;
  for (const Setting& setting : all)
    if (section == setting.section) part.push_back(setting);
  return part;
}

std::vector<std::string> sections_of(const std::vector<Setting>& all) {
  std::vector<std::string> sections;
  for (const Setting& setting : all)
    if (std::find(sections.begin(), sections.end(), setting.section) == sections.end())
      sections.emplace_back(setting.section);
  return sections;
}

std::string all_settings() {
  Recipe defaults;
  TaskSettings task;
  const std::vector<Setting> all = settings(defaults);
  std::string text =
      "# Settings\n\nMade by `sdft settings > docs/settings.md` from the table that reads them. They stand "
      "in a recipe\n(YAML), as flags (`--key value`), which win over it, or as words `key=value`, which win "
      "over "
      "both.\n";
  for (const std::string& section : sections_of(all))
    text += "\n## " + section + "\n" + settings_table(in_section(all, section));
  text += "\n## Lists and maps\n\n| setting | meaning |\n|---|---|\n";
  for (const StructuredSetting& setting : structured_settings())
    text += fmt::format("| `{}` | {} |\n", setting.name, cell(setting.help));
  return text + "\n## Of a task under `eval`\n\nAnd `columns`, as of the recipe.\n" +
         settings_table(task_settings(task));
}

std::string told(const Setting& setting) {
  return fmt::format("{}\n  {}\n  may be: {}\n  default: {}\n", setting.name, setting.help,
                     allowed_text(setting), value_text(setting).empty() ? "none" : value_text(setting));
}
}  // namespace

std::string settings_reference(const std::vector<std::string>& names) {
  if (names.empty()) return all_settings();
  Recipe defaults;
  std::string text;
  for (const std::string& name : names) {
    std::vector<std::string> known;
    const size_t before = text.size();
    for (const Setting& setting : settings(defaults)) {
      known.emplace_back(setting.name);
      if (name == setting.name) text += told(setting);
    }
    for (const StructuredSetting& setting : structured_settings()) {
      known.emplace_back(setting.name);
      if (name == setting.name) text += fmt::format("{}\n  {}\n", setting.name, setting.help);
    }
    if (text.size() > before) continue;
    const std::string near = nearest(name, known);
    fail_usage("'" + name + "' is no setting" +
               (near.empty() ? " (sdft settings lists them)" : "; did you mean '" + near + "'?"));
  }
  return text;
}

void add_reference(const Registry& registry) {
  auto names = std::make_shared<std::vector<std::string>>();
  registry
      .add("settings", "  sdft settings | less\n  sdft settings lora_target learning_rate",
           [names] { write_out(settings_reference(*names)); })
      ->add_option("names", *names, "settings; without any: all, as Markdown");

  // All commands have their flags once the words are parsed, and are gone when the action runs.
  const auto write = [&app = registry.app, chosen = registry.chosen](auto make) {
    return [=, &app] { *chosen = [text = make(command_words(app))] { write_out(text); }; };
  };
  auto shell = std::make_shared<std::string>();
  CLI::App* command = registry.add("completions",
                                   "  source <(sdft completions bash)\n"
                                   "  sdft completions zsh > ~/.zfunc/_sdft\n"
                                   "  sdft completions fish > ~/.config/fish/completions/sdft.fish",
                                   {});
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
  command->callback(write([shell](const auto& commands) { return completions(*shell, commands); }));
  registry.add("man", "  sdft man > sdft.1\n  sdft man | man -l -", {})->callback(write(manual_page));
}

}  // namespace sdft::cli
