// tokenize and render: what a model sees.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "cli/flags.h"
#include "cli/light/commands.h"
#include "cli/output.h"
#include "cli/terminal_input.h"
#include "text/tokenizer/tokenizer.h"

namespace sdft::cli {

namespace {
struct TokenizeFlags {
  std::string model;
  bool add_special = false, split_special = false, decode = false, skip_special = false;
};

std::string ids_text(const std::vector<int32_t>& ids) { return fmt::format("[{}]\n", fmt::join(ids, ", ")); }

std::string text_of(const Tokenizer& tokenizer, const std::string& line, const std::string& where,
                    bool skip_special) {
  const Json json = parse_json(line, where);
  if (!json.is_array()) fail_input(where, "expected a JSON array of token ids, found " + describe(json));
  std::vector<int32_t> ids;
  for (const Json& id : json) {
    const bool fits = id.is_number_integer() && id >= 0 && id < tokenizer.vocab_size();
    if (!fits)
      fail_input(where, fmt::format("expected a token id, 0 to {}, found {}", tokenizer.vocab_size() - 1,
                                    describe(id)));
    ids.push_back(id.get<int32_t>());
  }
  return tokenizer.decode(ids, skip_special) + "\n";
}

void run_tokenize(const TokenizeFlags& flags) {
  const Tokenizer tokenizer = Tokenizer::load(flags.model);
  const EncodeOptions options{flags.add_special, !flags.split_special};
  TerminalInput input;
  size_t number = 0;
  for (std::string line; input.read_line(&line);) {
    const std::string where = "standard input:" + std::to_string(++number);
    try {
      write_out(flags.decode ? text_of(tokenizer, line, where, flags.skip_special)
                             : ids_text(tokenizer.encode(line, options)));
    } catch (const Error& e) {
      if (flags.decode || e.code() != ExitCode::kInput) throw;
      fail_input(where, e.what());
    }
  }
  flush_out();
}

struct RenderFlags {
  std::string model;
  TemplateFlags variables;
  std::string messages, tools;
  bool add_generation_prompt = false;
};

void run_render(const RenderFlags& flags) {
  const ChatTemplate chat = ChatTemplate::load(flags.model);
  if (!chat.has())
    fail_input(flags.model, "has no chat template",
               "chat_template.jinja, or chat_template in tokenizer_config.json");
  Json messages = read_json(flags.messages);
  RenderOptions options;
  options.add_generation_prompt = flags.add_generation_prompt;
  if (messages.is_object()) {
    if (messages.contains("tools")) options.tools = messages["tools"];
    messages = require<Json>(messages, "messages", flags.messages);
  }
  if (!messages.is_array())
    fail_input(flags.messages, "expected an array of messages, found " + describe(messages));
  if (!flags.tools.empty()) options.tools = read_json(flags.tools);
  options.extra = flags.variables.variables;
  options.date = flags.variables.date;
  warn_of_unread(chat, options.extra);
  write_out(chat.render(messages, options));
}

void add_tokenize(const Registry& registry) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* tokenize = registry.add("tokenize",
                                    "  echo \"Hello there\" | sdft tokenize --model MODEL\n"
                                    "  sdft tokenize --model MODEL --add-special < lines.txt > ids.jsonl\n"
                                    "  sdft tokenize --model MODEL --decode < ids.jsonl",
                                    [flags] { run_tokenize(*flags); });
  add_model_flag(tokenize, &flags->model);
  tokenize->add_flag("--add-special,--add_special", flags->add_special,
                     "with BOS and what else the tokenizer puts around a text");
  tokenize->add_flag("--split-special-tokens,--split_special_tokens", flags->split_special,
                     "special tokens in the text are plain characters");
  auto* decode = tokenize->add_flag("--decode", flags->decode, "the way back: arrays of ids to text");
  tokenize
      ->add_flag("--skip-special,--skip_special", flags->skip_special, "leave special tokens out of the text")
      ->needs(decode);
}

void add_render(const Registry& registry) {
  auto flags = std::make_shared<RenderFlags>();
  CLI::App* render =
      registry.add("render",
                   "  sdft render --model MODEL --messages messages.json --add-generation-prompt\n"
                   "  sdft render --model MODEL --messages messages.json --tools tools.json\n"
                   "  sdft render --model MODEL --messages messages.json --chat_template_kwargs "
                   "'{\"enable_thinking\": false}'",
                   [flags] { run_render(*flags); });
  add_model_flag(render, &flags->model);
  render
      ->add_option("--messages", flags->messages,
                   "JSON: an array of {\"role\", \"content\"}, or {\"messages\": ..., \"tools\": ...}")
      ->type_name("FILE")
      ->required();
  render->add_option("--tools", flags->tools, "JSON: an array of tool schemas")->type_name("FILE");
  add_template_flags(render, &flags->variables);
  render->add_flag("--add-generation-prompt,--add_generation_prompt", flags->add_generation_prompt,
                   "with what starts an answer");
}
}  // namespace

void add_text(const Registry& registry) {
  add_tokenize(registry);
  add_render(registry);
}

}  // namespace sdft::cli
