#include "data/chat_template_kwargs.h"

#include "base/error.h"
#include "base/json.h"

namespace sdft {

void check_variables(const Json& variables, const std::string& where) {
  if (!variables.is_object())
    fail_usage(where + ": expected a JSON object, found " + describe(variables),
               "as in {\"enable_thinking\": false}");
  for (const char* name : {"messages", "tools", "add_generation_prompt"})
    if (variables.contains(name))
      fail_usage(where + ": '" + name + "' cannot be set; it is what the template is rendered for");
}

Json read_variables(const std::string& json, const std::string& where) {
  Json variables;
  try {
    variables = parse_json(json, where);
  } catch (const Error& e) {
    fail_usage(e.what(), "a JSON object, as in {\"enable_thinking\": false}");
  }
  check_variables(variables, where);
  return variables;
}

std::vector<std::string> unread_variables(const ChatTemplate& chat_template, const Json& variables) {
  std::vector<std::string> names;
  for (const auto& [name, value] : variables.items())
    if (chat_template.source().find(name) == std::string::npos) names.push_back(name);
  return names;
}

}  // namespace sdft
