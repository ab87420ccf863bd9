// Variables that a user gives to a chat template: --chat_template_kwargs, and a recipe's
// chat_template_kwargs.
#pragma once

#include <string>
#include <vector>

#include "text/jinja/chat_template.h"

namespace sdft {

// Throws Error(kUsage) naming `where` for what is no object, or has a name that rendering itself sets
// (messages, tools, add_generation_prompt).
void check_variables(const Json& variables, const std::string& where);
// From JSON text, checked.
Json read_variables(const std::string& json, const std::string& where);
// The names that the template does not mention: they have no effect.
std::vector<std::string> unread_variables(const ChatTemplate& chat_template, const Json& variables);

}  // namespace sdft
