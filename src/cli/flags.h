// Flags that commands of both programs have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/json.h"
#include "text/jinja/chat_template.h"

namespace sdft::cli {

// "max_new_tokens" as CLI11 wants it: "--max_new_tokens,--max-new-tokens".
std::string spelled(const std::string& name);

// --model and --model_name_or_path.
CLI::Option* add_model_flag(CLI::App* command, std::string* folder);

// --chat_template_kwargs and --date: what the chat template reads besides the messages.
struct TemplateFlags {
  Json variables = Json::object();
  std::string date;  // "": the clock
};
void add_template_flags(CLI::App* command, TemplateFlags* flags);

// Says which variables the chat template does not mention.
void warn_of_unread(const ChatTemplate& chat_template, const Json& variables);

}  // namespace sdft::cli
