#include "cli/engine/model_flags.h"

#include <filesystem>

#include "base/error.h"
#include "cli/output.h"
#include "model/gguf_folder.h"
#include "model/gguf_import.h"
#include "model/safetensors.h"
#include "run/context.h"

namespace sdft::cli {
namespace fs = std::filesystem;

void add_loading_flags(CLI::App* command, ModelFlags* flags) {
  command->add_option("--adapter," + spelled("adapter_name_or_path"), flags->adapter, "PEFT adapter folder")
      ->type_name("DIR");
  command->add_option("--device", flags->load.device, "auto, cpu or cuda")->type_name("");
  command->add_option("--dtype", flags->load.dtype, "auto (f32 on a CPU, bf16 on a GPU), f32 or bf16")
      ->type_name("");
  command
      ->add_option(
          "--weights", flags->load.weights,
          "auto (as they are stored, computed in f32), f32, or rounded, and what is multiplied with them: "
          "bf16, int8, or q4 (4 bits by 8)")
      ->type_name("");
  command->add_option("--threads", flags->threads, "CPU threads; 0: all")
      ->type_name("")
      ->check(CLI::NonNegativeNumber);
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

at::ScalarType stored_type(const std::string& model) {
  const std::filesystem::path from = model_folder(model);
  if (std::filesystem::exists(from / kGgufWeights))
    return gguf_output_type(GgufFile(from / kGgufWeights), "auto");
  const ModelFiles files(from);
  for (const std::string& name : files.names()) {
    const TensorInfo info = files.info(name);
    if (info.shape.size() < 2) continue;
    if (info.type == "F16") return at::kHalf;
    if (info.type == "BF16") return at::kBFloat16;
    break;
  }
  return at::kFloat;
}

}  // namespace sdft::cli
