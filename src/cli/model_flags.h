// Flags and files that the commands on one model share.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "infer/model_bundle.h"

namespace sdft::cli {

// "max_new_tokens" as CLI11 wants it: "--max_new_tokens,--max-new-tokens".
std::string spelled(const std::string& name);

struct ModelFlags {
  std::string model, adapter;
  LoadOptions load;
  int64_t threads = 0;
};
// --model and --model_name_or_path; the commands that run the model also take --adapter, --device, --dtype,
// --weights,
// --threads.
void add_model_flag(CLI::App* command, ModelFlags* flags);
void add_loading_flags(CLI::App* command, ModelFlags* flags);

// --template, --prompt_layout, --column, --max_samples, --skip_bad: how examples of a file become prompts;
// --chat_template_kwargs and --date: what the chat template reads besides.
struct PromptFlags {
  std::string prompt_template = "chat", layout = "chat";
  std::vector<std::string> columns;  // "query=question"
  size_t max_samples = 0;
  bool raw = false, skip_bad = false;
  Json variables = Json::object();
  std::string date;  // "": the clock
};
// --chat_template_kwargs, --date.
void add_template_flags(CLI::App* command, PromptFlags* flags);
// All of them.
void add_prompt_flags(CLI::App* command, PromptFlags* flags);
Dataset read_examples(const std::string& path, const PromptFlags& flags, bool response_required);

// Says which variables the chat template does not mention.
void warn_of_unread(const ChatTemplate& chat_template, const Json& variables);

// make(), whose Error(kInput) then names the example.
template <typename Make>
auto naming(const Example& example, Make make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& e) {
    if (e.code() != ExitCode::kInput) throw;
    fail_input("example '" + example.id + "'", e.what());
  }
}

// The model folder, its formatter set up as the flags say; no weights yet. Error(kInput) where it lacks what
// the prompt template needs.
std::unique_ptr<ModelBundle> open_bundle(const ModelFlags& flags, const PromptFlags& prompt);
void load_weights(ModelBundle& bundle, const ModelFlags& flags);

// To stdout; Error(kInput) where it cannot be written (a full disk). A closed pipe ends the program's work
// like Ctrl-C. Only flush_out() can tell of all that was written.
void write_out(std::string_view text);     // shown()
void write_marked(std::string_view text);  // with our own control characters, around texts that are shown()
// On a terminal, control characters are written out: nothing of a file or a model steers it.
std::string shown(std::string_view text);
void flush_out();
// One JSON value on a line of its own; text that is not UTF-8 gets U+FFFD.
void write_line(const Json& json);

// "a, b, c and 12 more"
std::string list_of(const std::vector<std::string>& names, size_t most = 5);

}  // namespace sdft::cli
