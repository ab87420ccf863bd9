// The manual page, in the macros of man(7).
#include <fmt/format.h>

#include <sstream>

#include "cli/engine/command_words.h"
#include "cli/engine/commands.h"

namespace sdft::cli {

namespace {
// The text so that roff prints it as it is; UTF-8 stays.
std::string roff(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool first = i == 0 || text[i - 1] == '\n';
    if (byte == '\\')
      out += "\\e";
    else if (byte == '-')
      out += "\\-";
    else if (byte == '~')
      out += "\\(ti";
    else if (byte == '^')
      out += "\\(ha";
    else if (byte == '`')
      out += "\\(ga";
    else if (byte == '\'')
      out += first ? "\\&\\(aq" : "\\(aq";
    else if (byte == '.' && first)
      out += "\\&.";
    else
      out += text[i];
  }
  return out;
}

std::string lines(const std::string& text) {
  std::string out;
  for (const char c : roff(text)) out += c == '\n' ? "\n.br\n" : std::string(1, c);
  return out;
}

std::string entry(const std::string& term, const std::string& value, const std::string& text) {
  return ".TP\n\\fB" + roff(term) + "\\fR" + (value.empty() ? "" : " \\fI" + roff(value) + "\\fR") + "\n" +
         lines(text) + "\n";
}

std::string examples(const std::string& footer) {
  std::istringstream in(footer);
  std::string line, out;
  while (std::getline(in, line)) {
    if (line == "Examples:") continue;
    out += roff(line.substr(std::min(line.size(), line.find_first_not_of(' ')))) + "\n";
  }
  return out.empty() ? "" : ".PP\n.EX\n" + out + ".EE\n";
}

std::string part_of(const CommandWords& command) {
  std::string text = ".SS " + command.name + "\n" + lines(command.help) + "\n";
  for (const Flag& flag : command.flags)
    if (!flag.of_recipe && flag.names[0] != "help")
      text += entry("--" + flag.names[0], flag.value, flag.help);
  if (command.takes_settings) text += ".PP\nTakes settings, too: see SETTINGS.\n";
  return text + examples(command.examples);
}

std::string entries(const std::vector<Setting>& list) {
  std::string text, section;
  for (const Setting& setting : list) {
    if (section != setting.section) text += ".SS " + roff(section = setting.section) + "\n";
    text += entry(setting.name, value_text(setting),
                  std::string(setting.help) + "\nMay be: " + allowed_text(setting) + ".");
  }
  return text;
}

constexpr const char* kEnd = R"(.SH EXIT STATUS
0: done; 2: the command line or the recipe is wrong; 3: a file, dataset or model is, or the disk is full;
4: no such device, or out of memory; 130: interrupted, and the same command goes on; any other: a fault of the program.
.SH ENVIRONMENT
.TP
\fBNO_COLOR\fR
set: no colours on a terminal either
.TP
\fBSDFT_API_KEY\fR, \fBOPENAI_API_KEY\fR
the key of a server that is asked
.TP
\fBSDFT_ISA\fR
the instructions to compute with (sdft \-\-version shows them)
)";
}  // namespace

std::string manual_page(const std::vector<CommandWords>& commands) {
  std::string text = fmt::format(
      ".TH SDFT 1 \"\" \"sdft {}\" \"User commands\"\n.nh\n.ad l\n.SH NAME\nsdft \\- fine\\-tunes a chat "
      "model on a task without making it forget what it could do\n.SH SYNOPSIS\n\\fBsdft\\fR \\fIcommand\\fR "
      "[\\fIflags\\fR] "
      "[\\fIkey\\fR=\\fIvalue\\fR...]\n.SH COMMANDS\n",
      SDFT_VERSION);
  for (const CommandWords& command : commands) text += part_of(command);
  Recipe defaults;
  TaskSettings task;
  text +=
      ".SH SETTINGS\nIn a recipe (YAML), behind a command as key=value, or as flags; here with their "
      "defaults.\n" +
      entries(settings(defaults)) + ".SS Lists and maps\n";
  for (const StructuredSetting& setting : structured_settings())
    text += entry(setting.name, "", setting.help);
  text += ".SS Of a task under eval\n";
  for (const Setting& setting : task_settings(task))
    text += entry(setting.name, value_text(setting),
                  std::string(setting.help) + "\nMay be: " + allowed_text(setting) + ".");
  return text + kEnd;
}

}  // namespace sdft::cli
