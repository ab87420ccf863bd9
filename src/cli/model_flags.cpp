#include "cli/model_flags.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/printable.h"
#include "data/chat_template_kwargs.h"
#include "run/context.h"

namespace sdft::cli {
namespace fs = std::filesystem;

std::string spelled(const std::string& name) {
  std::string dashed = name;
  for (char& c : dashed) c = c == '_' ? '-' : c;
  return "--" + name + (dashed != name ? ",--" + dashed : "");
}

void add_model_flag(CLI::App* command, ModelFlags* flags) {
  command
      ->add_option("--model," + spelled("model_name_or_path"), flags->model,
                   "model folder, as on the Hugging Face hub")
      ->required()
      ->type_name("DIR");
}

void add_loading_flags(CLI::App* command, ModelFlags* flags) {
  command->add_option("--adapter," + spelled("adapter_name_or_path"), flags->adapter, "PEFT adapter folder")
      ->type_name("DIR");
  command->add_option("--device", flags->load.device, "auto, cpu or cuda")->type_name("");
  command->add_option("--dtype", flags->load.dtype, "auto (f32 on a CPU, bf16 on a GPU), f32 or bf16")
      ->type_name("");
  command
      ->add_option(
          "--weights", flags->load.weights,
          "auto (as they are stored, computed in f32), f32, or bf16 (rounded, and what is multiplied "
          "with them: faster where the processor multiplies bf16)")
      ->type_name("");
  command->add_option("--threads", flags->threads, "CPU threads; 0: all")
      ->type_name("")
      ->check(CLI::NonNegativeNumber);
}

void add_template_flags(CLI::App* command, PromptFlags* flags) {
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

void add_prompt_flags(CLI::App* command, PromptFlags* flags) {
  add_template_flags(command, flags);
  command->add_flag("--raw", flags->raw,
                    "text as it is, without chat template; BOS where the tokenizer adds it");
  command->add_option("--template", flags->prompt_template, "prompt template: chat, alpaca, gsm8k, ...")
      ->type_name("");
  command->add_option(spelled("prompt_layout"), flags->layout, "chat, reference or reference-main")
      ->type_name("")
      ->check(CLI::IsMember({"chat", "reference", "reference-main"}));
  command
      ->add_option("--column", flags->columns, "name of a column in the file, as in --column prompt=question")
      ->type_name("FIELD=NAME");
  command->add_option(spelled("max_samples"), flags->max_samples, "only the first so many examples; 0: all")
      ->type_name("");
  command->add_flag(spelled("skip_bad"), flags->skip_bad, "skip and count bad records instead of stopping");
}

Dataset read_examples(const std::string& path, const PromptFlags& flags, bool response_required) {
  DatasetOptions options;
  const auto fields = column_fields(options.columns);
  for (const std::string& column : flags.columns) {
    const size_t equals = std::min(column.find('='), column.size());
    std::vector<std::string> names;
    bool known = false;
    for (const auto& [name, target] : fields) {
      names.emplace_back(name);
      if (column.substr(0, equals) != name || equals + 1 >= column.size()) continue;
      *target = column.substr(equals + 1);
      known = true;
    }
    if (!known)
      fail_usage("--column " + column + " is not understood",
                 "FIELD=NAME, where FIELD is one of " + list_of(names, names.size()));
  }
  options.response_required = response_required;
  options.limit = flags.max_samples;
  options.skip_bad = flags.skip_bad;
  Dataset dataset = read_dataset(path, options);
  tell_skipped(dataset);
  return dataset;
}

std::unique_ptr<ModelBundle> open_bundle(const ModelFlags& flags, const PromptFlags& prompt) {
  set_num_threads(flags.threads);
  auto bundle = std::make_unique<ModelBundle>(flags.model);
  Formatter& formatter = bundle->formatter;
  formatter.layout = find_prompt_layout(prompt.layout);
  formatter.render.extra = prompt.variables;
  formatter.render.date = prompt.date;
  if (prompt.raw || !find_prompt_template(prompt.prompt_template).chat) return bundle;
  require_chat_template(*bundle, prompt.prompt_template,
                        "use --raw, or --template alpaca --prompt_layout reference");
  warn_of_unread(bundle->chat_template, prompt.variables);
  return bundle;
}

void load_weights(ModelBundle& bundle, const ModelFlags& flags) {
  load_weights(bundle, flags.load, flags.adapter);
}

void warn_of_unread(const ChatTemplate& chat_template, const Json& variables) {
  const auto unread = unread_variables(chat_template, variables);
  if (!unread.empty())
    spdlog::warn("the chat template reads no variable {}: no effect", fmt::join(unread, ", "));
}

namespace {
void require_written(bool good) {
  if (good) return;
  if (errno == EPIPE) throw Error(ExitCode::kInterrupted, "nobody reads the output any more");
  fail_input("standard output", std::string("cannot be written: ") + std::strerror(errno));
}
}  // namespace

void write_marked(std::string_view text) {
  require_written(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

std::string shown(std::string_view text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal ? printable(text) : std::string(text);
}

void write_out(std::string_view text) { write_marked(shown(text)); }

void flush_out() { require_written(std::fflush(stdout) == 0 && !std::ferror(stdout)); }

void write_line(const Json& json) {
  write_out(to_line(json) + "\n");
  flush_out();
}

std::string list_of(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

}  // namespace sdft::cli
