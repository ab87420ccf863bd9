#include "infer/model_bundle.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "base/error.h"
#include "data/turn_end.h"
#include "model/gguf_folder.h"

namespace sdft {
namespace fs = std::filesystem;

ModelBundle::ModelBundle(const fs::path& folder)
    : dir(model_folder(folder)),
      config(read_config(dir)),
      tokenizer(Tokenizer::load(dir)),
      chat_template(ChatTemplate::load(dir)),
      defaults(read_generation_config(dir, config)),
      formatter{&tokenizer, &chat_template} {
  if (tokenizer.vocab_size() > config.vocab_size)
    fail_input(dir.string(), fmt::format("the tokenizer has {} tokens, the embedding only {}",
                                         tokenizer.vocab_size(), config.vocab_size));
}

void load_weights(ModelBundle& bundle, const LoadOptions& options, const fs::path& adapter) {
  LoadOptions read = options;
  read.as_stored = true;
  bundle.model = load_model(bundle.dir, read);
  if (!adapter.empty()) bundle.adapter = load_adapter(bundle.model, adapter);
}

GenerateOptions generate_options(const ModelBundle& bundle) {
  GenerateOptions options;
  options.sampling = bundle.defaults.sampling;
  options.max_new_tokens = bundle.defaults.max_new_tokens;
  options.constraints = bundle.defaults.constraints;
  options.stop_ids = stop_ids(bundle.formatter, bundle.config.eos_token_ids);
  options.tokenizer = &bundle.tokenizer;
  return options;
}

void require_chat_template(const ModelBundle& bundle, const std::string& needed_by,
                           const std::string& otherwise) {
  if (!bundle.chat_template.has())
    fail_input(bundle.dir.string(),
               "has no chat template, which the prompt template '" + needed_by + "' needs", otherwise);
  const auto unknown = check_chat_template(bundle.chat_template, bundle.tokenizer,
                                           (bundle.dir / "tokenizer_config.json").string());
  if (!unknown.empty())
    spdlog::warn(
        "{}: the chat template writes {}, which the tokenizer has not as one token: plain characters for "
        "the model",
        bundle.dir.string(), fmt::join(unknown, ", "));
}

}  // namespace sdft
