#include "cli/flags.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "base/error.h"
#include "data/chat_template_kwargs.h"

namespace sdft::cli {

std::string spelled(const std::string& name) {
  std::string dashed = name;
  for (char& c : dashed) c = c == '_' ? '-' : c;
  return "--" + name + (dashed != name ? ",--" + dashed : "");
}

CLI::Option* add_model_flag(CLI::App* command, std::string* folder) {
  return command
      ->add_option("--model," + spelled("model_name_or_path"), *folder,
                   "model folder, as on the Hugging Face hub")
      ->required()
      ->type_name("DIR");
}

void add_template_flags(CLI::App* command, TemplateFlags* flags) {
  command
      ->add_option_function<std::string>(
          spelled("chat_template_kwargs"),
          [flags](const std::string& text) {
            try {
              flags->variables = read_variables(text, "--chat_template_kwargs");
            } catch (const Error& e) {
              throw CLI::ValidationError(e.what());
            }
          },
          "JSON object of further variables that the chat template reads")
      ->type_name("JSON");
  command
      ->add_option_function<std::string>(
          "--variables",
          [](const std::string&) {
            throw CLI::ValidationError("--variables is now called --chat_template_kwargs");
          })
      ->group("");
  command->add_option("--date", flags->date, "what the chat template takes for today; else the clock's")
      ->type_name("YYYY-MM-DD");
}

void warn_of_unread(const ChatTemplate& chat_template, const Json& variables) {
  const auto unread = unread_variables(chat_template, variables);
  if (!unread.empty())
    spdlog::warn("the chat template reads no variable {}: no effect", fmt::join(unread, ", "));
}

}  // namespace sdft::cli
