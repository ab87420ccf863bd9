#include "data/prompt_tools.h"

#include <optional>
#include <string>

#include "base/error.h"

namespace sdft {
namespace {

// Stand in for arguments and results, so that the rendered text tells what became of them.
const std::string kArgument = "sdft_argument_", kResult = "sdft_result_";

enum class Arguments { kText, kObject };

template <typename Use>
void each_call(Json* messages, const Use& use) {
  for (Json& message : *messages)
    if (message.contains("tool_calls"))
      for (Json& call : message["tool_calls"]) use(call["function"]["arguments"]);
}

// "_" ends the number, so that none is the beginning of another.
std::string numbered(const std::string& name, size_t number) { return name + std::to_string(number) + "_"; }

struct Probe {
  Json messages;
  size_t calls = 0, results = 0;

  Probe(Json whole, Arguments form) : messages(std::move(whole)) {
    each_call(&messages, [&](Json& arguments) {
      Json object = {{numbered(kArgument, calls++), "x"}};
      arguments = form == Arguments::kObject ? object : Json(object.dump());
    });
    for (Json& message : messages)
      if (message["role"] == "tool") message["content"] = numbered(kResult, results++);
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Whether the text has every call's arguments as JSON or in the template's own form: not as Python prints a
// dictionary, and not as the text of a text.
bool has_arguments(const std::string& text, const Probe& probe) {
  for (size_t i = 0; i < probe.calls; ++i) {
    const std::string name = numbered(kArgument, i);
    if (!contains(text, name) || contains(text, "'" + name) || contains(text, "\\\"" + name)) return false;
  }
  return true;
}

Json converted(const Json& arguments, Arguments form) {
  if (form == Arguments::kText) return arguments.is_string() ? arguments : Json(arguments.dump());
  return arguments.is_string() ? parse_json(arguments.get<std::string>(), "a tool call's arguments")
                               : arguments;
}

struct Renderer {
  const Formatter& formatter;
  bool generation_prompt;

  std::string text(const Json& messages, const Json& tools) const {
    RenderOptions options = formatter.render;
    options.add_generation_prompt = generation_prompt;
    if (!tools.is_null()) options.tools = tools;
    Json bare = messages;
    for (Json& message : bare) message.erase("weight");
    return formatter.chat_template->render(bare, options);
  }
};

// The form in which this template writes the conversation's calls; none where it writes them in neither. What
// it says against both is thrown.
std::optional<Arguments> form_of(const Renderer& renderer, const Json& messages, const Json& tools,
                                 Arguments given) {
  std::optional<Error> refusal;  // of the form that was given
  for (const Arguments form : {given, given == Arguments::kText ? Arguments::kObject : Arguments::kText}) {
    const Probe probe(messages, form);
    try {
      if (has_arguments(renderer.text(probe.messages, tools), probe)) return form;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kInput) throw;
      if (form == given) refusal = error;
    }
  }
  if (refusal) throw Error(*refusal);
  return std::nullopt;
}

[[noreturn]] void fail_left_out(const std::string& what) {
  fail_input("chat template", "leaves out " + what + " that the record holds",
             "use a model whose chat template writes tool data");
}

}  // namespace

void fit_tool_data(const Formatter& formatter, const Json& tools, Json* context, Json* answer) {
  const Renderer renderer{formatter, answer->is_null()};
  Json whole = *context;
  if (!answer->is_null()) whole.push_back(*answer);
  Arguments given = Arguments::kText, form = given;
  size_t calls = 0;
  each_call(&whole, [&](const Json& arguments) {
    if (arguments.is_object()) given = Arguments::kObject;
    ++calls;
  });
  if (calls > 0) {
    const auto found = form_of(renderer, whole, tools, given);
    if (!found) fail_left_out("calls of tools (tool_calls)");
    form = *found;
    auto convert = [&](Json& arguments) { arguments = converted(arguments, form); };
    each_call(context, convert);
    if (!answer->is_null()) {
      Json one = Json::array({*answer});
      each_call(&one, convert);
      *answer = one[0];
    }
  }
  const Probe probe(whole, form);
  if (probe.results > 0) {
    const std::string text = renderer.text(probe.messages, tools);
    for (size_t i = 0; i < probe.results; ++i)
      if (!contains(text, numbered(kResult, i))) fail_left_out("results of tools (messages of role tool)");
  }
  if (!tools.is_null() && renderer.text(probe.messages, tools) == renderer.text(probe.messages, nullptr))
    fail_left_out("the tools");
}

}  // namespace sdft
